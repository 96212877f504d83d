//! Requests as the bytes of one send.

use super::Flags;
use super::attributes::{Writer, aligned};
use super::datagram::HEADER;

/// Requests that go out in one send, with consecutive sequence numbers.
#[derive(Debug, Default)]
pub struct Batch {
    first: u32,
    /// Where each message begins.
    starts: Vec<usize>,
    bytes: Vec<u8>,
}

impl Batch {
    /// An empty batch, its sequence numbers from `first` on.
    pub fn new(first: u32) -> Self {
        Self { first, starts: Vec::new(), bytes: Vec::new() }
    }

    /// An empty batch in the memory of another one, its sequence numbers from `first` on.
    #[must_use]
    pub fn renew(self, first: u32) -> Self {
        let Self { first: _, mut starts, mut bytes } = self;
        starts.clear();
        bytes.clear();
        Self { first, starts, bytes }
    }

    /// The number of requests.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is no request in it.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The number of bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a request: the message's kind (`nlmsg_type`), its flags besides `NLM_F_REQUEST`, and what `body` writes
    /// behind the header.
    pub fn push(&mut self, kind: u16, flags: Flags, body: impl FnOnce(&mut Writer<'_>)) {
        let sequence = self.first.wrapping_add(u32::try_from(self.starts.len()).unwrap_or(u32::MAX));
        let start = self.bytes.len();
        self.starts.push(start);
        let ([k0, k1], [f0, f1]) = (kind.to_ne_bytes(), (flags | Flags::REQUEST).bits().to_ne_bytes());
        let [s0, s1, s2, s3] = sequence.to_ne_bytes();
        // The length is not known yet; port 0 is the kernel.
        let header: [u8; HEADER] = [0, 0, 0, 0, k0, k1, f0, f1, s0, s1, s2, s3, 0, 0, 0, 0];
        self.bytes.extend_from_slice(&header);
        body(&mut Writer(&mut self.bytes));
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
        self.bytes.resize(aligned(self.bytes.len()), 0);
    }

    /// The bytes to send, with an acknowledgement asked for behind the last message: it says that
    /// everything before has been carried out or refused. A dump ends by itself and gets none.
    pub fn acknowledged(&mut self) -> &[u8] {
        if let Some(flags) = self.starts.last().and_then(|start| self.bytes.get_mut(start + 6..start + 8)) {
            let old = Flags::from(u16::from_ne_bytes([flags[0], flags[1]]));
            if !old.contains(Flags::DUMP) {
                flags.copy_from_slice(&(old | Flags::ACK).bits().to_ne_bytes());
            }
        }
        &self.bytes
    }

    /// The first and the last sequence number; of an empty batch both are the first.
    pub fn sequences(&self) -> (u32, u32) {
        let further = u32::try_from(self.starts.len().saturating_sub(1)).unwrap_or(u32::MAX);
        (self.first, self.first.wrapping_add(further))
    }
}
