//! The udp check, and datagrams for others.

use rustix::buffer::spare_capacity;
use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::answer::{compile, missing};
use super::phase::Phase;
use super::{ANSWER_LIMIT, Job, connect};
use crate::model::Match;

pub(super) async fn run(
    job: &Job,
    send: &[u8],
    expect: Option<&Match>,
    silence_is_up: bool,
    phase: &mut Phase,
) -> Result<(), String> {
    let socket = connect::udp(job)?;
    *phase = Phase::Sent;
    self::send(&socket, send).await?;
    if silence_is_up {
        *phase = Phase::Silent;
    }
    let answer = receive(&socket).await?;
    match expect {
        Some(expected) if !compile(expected)?.is_match(&answer) => Err(missing("the answer", expected)),
        _ => Ok(()),
    }
}

/// Sends one datagram.
pub(super) async fn send(socket: &UdpSocket, datagram: &[u8]) -> Result<(), String> {
    socket.send(datagram).await.map(drop).map_err(|error| reason(&error))
}

/// The next datagram from the address that the socket is connected to, or the ICMP message that came for it.
pub(super) async fn receive(socket: &UdpSocket) -> Result<Vec<u8>, String> {
    // An ICMP message makes a socket ready for nothing but its error, which tokio's own `recv` would not see.
    let datagram = socket.async_io(Interest::READABLE | Interest::ERROR, || {
        // Only now, so that those who wait hold no memory. No datagram is longer.
        let mut datagram = Vec::with_capacity(ANSWER_LIMIT);
        rustix::net::recv(socket, spare_capacity(&mut datagram), RecvFlags::empty())?;
        Ok(datagram)
    });
    datagram.await.map_err(|error| reason(&error))
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "port unreachable".to_owned(),
        _ => connect::reason(error),
    }
}
