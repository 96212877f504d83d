//! One netlink socket: sends batches, and reads every answer to them to its end.
//!
//! Requests and answers are matched by sequence number. An answer to an older request (one that was given up) is
//! dropped. A socket that lost messages, stayed silent or sent nonsense is closed and opened anew before the
//! error is reported, so that the next request starts clean.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use neli::consts::socket::{Msg, NlFamily};
use neli::socket::NlSocket;
use neli::utils::Groups;
use rustix::net::sockopt;

use super::{Batch, Body, Errno, Error, messages, progress};

/// The kernel answers before `send` returns; this is for a machine that is in deep trouble.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Asked for as SO_RCVBUFFORCE. Whoever may change anything may have it.
const RECEIVE_QUEUE: usize = 4 << 20;
/// Requests in one send. More gain nothing, and the answers to these fit into any receive queue, even if
/// each of them is an error that echoes its request.
const BATCH_REQUESTS: usize = 128;
/// Bytes in one send, far below the smallest send buffer.
const BATCH_BYTES: usize = 32 << 10;
/// One datagram of a dump is at most 32 KiB (`netlink_dump`), an answer to a batch far below.
pub const WIDE: usize = 64 << 10;

/// With whom in the kernel to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Generic netlink, which has families of its own.
    Generic,
    /// rtnetlink: interfaces, addresses, routes.
    Route,
}

/// An answer within an exchange.
#[derive(Debug)]
pub enum Answer<'a> {
    /// A message's kind (`nlmsg_type`), and what is behind netlink's header.
    Data { kind: u16, payload: &'a [u8] },
    /// A refusal, with the text of the extended ACK.
    Refused(Errno, Option<String>),
}

/// How an exchange went.
#[derive(Debug, Default)]
pub struct Exchange {
    /// Datagrams that carried data. A dump in one of them is one consistent view.
    pub datagrams: usize,
    /// Bytes of these.
    pub bytes: usize,
    /// The kernel says that the dump has to be made again.
    pub interrupted: bool,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Progress {
    Open,
    Ended,
}

/// The socket. It belongs to the network namespace of the thread that opened it.
pub struct Link {
    family: Family,
    socket: NlSocket,
    sequence: u32,
    buffer: Vec<u8>,
    /// The last batch, for its memory.
    spare: Batch,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("family", &self.family).field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

impl Link {
    /// Opens a socket in this thread's network namespace, with room for every datagram that the kernel makes.
    ///
    /// # Errors
    ///
    /// [`Error::Socket`] if the system gives none. The kernel asks for permission only when it is asked for something.
    pub fn open(family: Family) -> Result<Self, Error> {
        Self::with_room(family, WIDE)
    }

    /// Opens a socket that receives at most `room` bytes at once. The datagrams of a dump are made as large as what is
    /// received at once on their socket, at least a page and at most 32 KiB (`netlink_dump`), and most kernels clear all of
    /// that for each, whatever comes into it: small dumps want little room.
    ///
    /// # Errors
    ///
    /// As [`Link::open`].
    pub fn with_room(family: Family, room: usize) -> Result<Self, Error> {
        let socket = open_socket(family)?;
        Ok(Self { family, socket, sequence: 1, buffer: vec![0; room], spare: Batch::default() })
    }

    /// An empty batch behind all that was sent before.
    pub fn batch(&mut self) -> Batch {
        std::mem::take(&mut self.spare).renew(self.sequence)
    }

    /// Sends the batch and hands every answer to `each`, with the position in the batch of the request that it
    /// answers. Returns when the last request has been answered to its end.
    ///
    /// # Errors
    ///
    /// It is not known then what of the batch was carried out; the socket is a new one.
    pub fn exchange(
        &mut self,
        mut batch: Batch,
        doing: &'static str,
        each: &mut dyn FnMut(usize, Answer<'_>),
    ) -> Result<Exchange, Error> {
        if batch.is_empty() {
            return Ok(Exchange::default());
        }
        let (first, last) = batch.sequences();
        self.sequence = last.wrapping_add(1);
        let done = self.send(batch.acknowledged(), doing).and_then(|()| self.collect(first, last, doing, each));
        self.spare = batch;
        progress::made();
        if done.is_err() {
            self.reopen()?;
        }
        done
    }

    /// Sends any number of requests, in order, in as few batches as the queues take: `push` appends the request of a
    /// position to a batch, and `each` gets every answer with the position of its request.
    ///
    /// # Errors
    ///
    /// As [`Link::exchange`], of the batch at hand: those before it have been answered, those behind it were not sent.
    pub fn exchange_all(
        &mut self,
        requests: usize,
        doing: &'static str,
        push: &mut dyn FnMut(usize, &mut Batch),
        each: &mut dyn FnMut(usize, Answer<'_>),
    ) -> Result<(), Error> {
        let mut begin = 0;
        while begin < requests {
            let mut batch = self.batch();
            let mut next = begin;
            while next < requests && next - begin < BATCH_REQUESTS && batch.size() < BATCH_BYTES {
                push(next, &mut batch);
                next += 1;
            }
            self.exchange(batch, doing, &mut |index, answer| each(begin + index, answer))?;
            begin = next;
        }
        Ok(())
    }

    fn send(&self, bytes: &[u8], doing: &'static str) -> Result<(), Error> {
        loop {
            match self.socket.send(bytes, Msg::empty()) {
                Ok(sent) if sent == bytes.len() => return Ok(()),
                Ok(sent) => return Err(Error::Protocol(format!("{sent} of {} bytes were sent", bytes.len()))),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Socket { doing, source }),
            }
        }
    }

    fn collect(
        &mut self,
        first: u32,
        last: u32,
        doing: &'static str,
        each: &mut dyn FnMut(usize, Answer<'_>),
    ) -> Result<Exchange, Error> {
        let mut exchange = Exchange::default();
        let mut progress = Progress::Open;
        while progress == Progress::Open {
            let length = self.receive(doing)?;
            let datagram = self.buffer.get(..length).unwrap_or_default();
            progress = take(datagram, first, last, &mut exchange, each)?;
        }
        Ok(exchange)
    }

    /// Receives one datagram into the buffer.
    fn receive(&mut self, doing: &'static str) -> Result<usize, Error> {
        loop {
            // With MSG_TRUNC the length is the datagram's own, however little of it fits.
            match self.socket.recv(self.buffer.as_mut_slice(), Msg::TRUNC) {
                Ok((0, _)) => return Err(Error::Protocol("the kernel sent an empty datagram".to_owned())),
                Ok((length, _)) if length <= self.buffer.len() => return Ok(length),
                Ok((length, _)) => {
                    let had = self.buffer.len();
                    self.buffer.resize(length, 0);
                    return Err(Error::Protocol(format!("a datagram of {length} bytes did not fit into {had}")));
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                        return Err(Error::Timeout(ANSWER_WITHIN, doing));
                    }
                    _ => return Err(Error::Socket { doing, source: error }),
                },
            }
        }
    }

    /// A new socket instead of one whose queue is in doubt. The sequence goes on, so that nothing old can
    /// be taken for an answer.
    ///
    /// # Errors
    ///
    /// As [`Link::open`]; the old socket stays then.
    pub fn reopen(&mut self) -> Result<(), Error> {
        self.socket = open_socket(self.family)?;
        Ok(())
    }
}

/// Takes the messages of one datagram.
fn take(
    datagram: &[u8],
    first: u32,
    last: u32,
    exchange: &mut Exchange,
    each: &mut dyn FnMut(usize, Answer<'_>),
) -> Result<Progress, Error> {
    let mut progress = Progress::Open;
    let mut data = false;
    for message in messages(datagram) {
        let message = message.map_err(|malformed| Error::Protocol(malformed.to_string()))?;
        let index = message.sequence.wrapping_sub(first) as usize;
        if index > last.wrapping_sub(first) as usize {
            continue;
        }
        let is_last = message.sequence == last;
        let ends = matches!(message.body, Body::Error { .. } | Body::Done(_));
        exchange.interrupted |= message.interrupted;
        match message.body {
            Body::Data { kind, payload } => {
                data = true;
                each(index, Answer::Data { kind, payload });
            }
            Body::Error { errno: 0, .. } => {}
            Body::Error { errno, text } => each(index, Answer::Refused(errno_of(errno), text)),
            Body::Done(0) | Body::Noop => {}
            Body::Done(_) => exchange.interrupted = true,
            Body::Overrun => return Err(Error::Protocol("the kernel reports an overrun".to_owned())),
        }
        if is_last && ends {
            progress = Progress::Ended;
        }
    }
    if data {
        exchange.datagrams += 1;
        exchange.bytes += datagram.len();
    }
    Ok(progress)
}

/// A negative errno; a number that is none becomes EPROTO.
fn errno_of(negative: i32) -> Errno {
    match negative.checked_neg() {
        Some(raw @ 1..=4095) => Errno::from_raw_os_error(raw),
        _ => Errno::PROTO,
    }
}

fn open_socket(family: Family) -> Result<NlSocket, Error> {
    try_open_socket(family).map_err(|source| Error::Socket { doing: "open a netlink socket", source })
}

fn try_open_socket(family: Family) -> io::Result<NlSocket> {
    let family = match family {
        Family::Generic => NlFamily::Generic,
        Family::Route => NlFamily::Route,
    };
    let socket = NlSocket::connect(family, None, Groups::empty())?;
    // Kernels before 4.12 have no extended ACKs: then there are no texts.
    let _ = socket.enable_ext_ack(true);
    #[expect(unsafe_code, reason = "neli's socket has no AsFd")]
    // SAFETY: the descriptor is open for as long as `socket` lives, and this borrow ends before it.
    let descriptor = unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) };
    sockopt::set_socket_timeout(descriptor, sockopt::Timeout::Recv, Some(ANSWER_WITHIN))?;
    // Not permitted: then the system's limit has to do, and nothing will be permitted anyway.
    if sockopt::set_socket_recv_buffer_size_force(descriptor, RECEIVE_QUEUE).is_err() {
        sockopt::set_socket_recv_buffer_size(descriptor, RECEIVE_QUEUE)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (16 + payload.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0, 0]);
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes
    }

    fn refusal(sequence: u32, errno: i32) -> Vec<u8> {
        let mut payload = (-errno).to_ne_bytes().to_vec();
        payload.extend([0; 16]);
        message(2, sequence, &payload)
    }

    fn taken(datagram: &[u8], first: u32, last: u32) -> (Progress, Vec<(usize, Option<Errno>)>, Exchange) {
        let mut seen = Vec::new();
        let mut exchange = Exchange::default();
        let progress = take(datagram, first, last, &mut exchange, &mut |index, answer| {
            seen.push((index, if let Answer::Refused(errno, _) = answer { Some(errno) } else { None }));
        });
        (progress.unwrap(), seen, exchange)
    }

    #[test]
    fn errors_find_their_requests_and_the_last_answer_ends_it() {
        let mut datagram = refusal(8, 17);
        datagram.extend(refusal(10, 3));
        assert_eq!(
            taken(&datagram, 7, 10).1,
            [(1, Some(Errno::EXIST)), (3, Some(Errno::SRCH))],
            "each at its own place"
        );
        assert_eq!(taken(&datagram, 7, 10).0, Progress::Ended, "the error of the last is its acknowledgement");
        assert_eq!(taken(&refusal(8, 17), 7, 10).0, Progress::Open, "that of another is not");
        assert_eq!(taken(&refusal(10, 0), 7, 10).0, Progress::Ended);
        assert!(taken(&refusal(10, 0), 7, 10).1.is_empty(), "an acknowledgement refuses nothing");
    }

    #[test]
    fn answers_to_older_requests_are_dropped() {
        let (progress, seen, _) = taken(&refusal(6, 17), 7, 10);
        assert_eq!((progress, seen), (Progress::Open, vec![]));
        let (progress, seen, _) = taken(&refusal(u32::MAX, 17), u32::MAX, 1);
        assert_eq!((progress, seen), (Progress::Open, vec![(0, Some(Errno::EXIST))]), "sequences wrap");
        assert_eq!(taken(&refusal(1, 17), u32::MAX, 1).1, [(2, Some(Errno::EXIST))]);
    }

    #[test]
    fn a_dump_that_ends_badly_has_to_be_repeated() {
        let good = message(3, 7, &0i32.to_ne_bytes());
        let bad = message(3, 7, &(-4i32).to_ne_bytes());
        assert!(!taken(&good, 7, 7).2.interrupted);
        assert!(taken(&bad, 7, 7).2.interrupted);
        assert_eq!(taken(&bad, 7, 7).0, Progress::Ended);
        let mut torn = message(0x20, 7, &[0; 4]);
        torn[6..8].copy_from_slice(&0x10u16.to_ne_bytes());
        assert!(taken(&torn, 7, 7).2.interrupted);
    }

    #[test]
    fn nonsense_is_an_error() {
        let mut each = |_: usize, _: Answer<'_>| ();
        for datagram in [&[1u8, 2, 3][..], &message(2, 7, &[])[..15], &[0; 16], &message(4, 7, &[])] {
            let done = take(datagram, 7, 7, &mut Exchange::default(), &mut each);
            assert!(matches!(done, Err(Error::Protocol(_))), "{datagram:?}");
        }
    }
}
