//! One received datagram as the netlink messages in it (`struct nlmsghdr`, `struct nlmsgerr`).

use neli::consts::nl::{Nlmsg, NlmsgerrAttr};

use super::Flags;
use super::attributes::{Attributes, aligned};

/// `sizeof(struct nlmsghdr)`.
pub(super) const HEADER: usize = 16;

/// A datagram that is not made of netlink messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message of {length} bytes where {left} bytes are left")]
pub struct Malformed {
    length: usize,
    left: usize,
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    pub sequence: u32,
    /// What is dumped changed meanwhile (`NLM_F_DUMP_INTR`).
    pub interrupted: bool,
    pub body: Body<'a>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// A message of the family's own: its kind (`nlmsg_type`), and what is behind netlink's header.
    Data { kind: u16, payload: &'a [u8] },
    /// The end of a dump, with 0 or a negative errno.
    Done(i32),
    /// The answer to a request: 0 (an ACK) or a negative errno, and the text of an extended ACK.
    Error { errno: i32, text: Option<String> },
    /// The kernel lost messages.
    Overrun,
    /// Nothing.
    Noop,
}

/// The messages of a datagram, in order; after one that is malformed there are none.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let all = rest;
        rest = &[];
        let Some((header, _)) = all.split_first_chunk::<HEADER>() else {
            return Some(Err(Malformed { length: HEADER, left: all.len() }));
        };
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
        let length = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        let Some(payload) = all.get(HEADER..length) else {
            return Some(Err(Malformed { length, left: all.len() }));
        };
        rest = all.get(aligned(length)..).unwrap_or_default();
        let flags = Flags::from(u16::from_ne_bytes([f0, f1]));
        Some(Ok(Message {
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            interrupted: flags.contains(Flags::DUMP_INTR),
            body: body(Nlmsg::from(u16::from_ne_bytes([k0, k1])), flags, payload),
        }))
    })
}

fn body(kind: Nlmsg, flags: Flags, payload: &[u8]) -> Body<'_> {
    let status = || payload.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    match kind {
        Nlmsg::Noop => Body::Noop,
        Nlmsg::Overrun => Body::Overrun,
        Nlmsg::Done => Body::Done(status()),
        Nlmsg::Error => Body::Error { errno: status(), text: extended_text(flags, payload) },
        Nlmsg::UnrecognizedConst(kind) => Body::Data { kind, payload },
    }
}

/// The text behind the echoed request, of which only the header is there when `NLM_F_CAPPED` is set.
fn extended_text(flags: Flags, payload: &[u8]) -> Option<String> {
    if !flags.contains(Flags::ACK_TLVS) {
        return None;
    }
    let echoed = payload.get(4..)?;
    let length = if flags.contains(Flags::CAPPED) {
        HEADER
    } else {
        aligned(u32::from_ne_bytes(*echoed.first_chunk()?) as usize)
    };
    let text = Attributes(echoed.get(length..)?).find(|found| found.kind == u16::from(NlmsgerrAttr::Msg))?;
    text.as_text().map(str::to_owned)
}
