//! What the client does: whole exchanges over TCP or SCTP, and DNS queries.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, TYPE, rdata};
use socket2::Protocol;

use super::servers::{ANSWER, LONG, REQUEST, body, socket, write_chunks};

/// A request and its answer over a connection of its own, both whole: the number of the server that answered.
pub(crate) fn exchange(protocol: Protocol, service: SocketAddr, seed: u64, patience: Duration) -> io::Result<u64> {
    let mut stream = socket(protocol, service.ip())?;
    stream.connect_timeout(&service.into(), patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(&seed.to_be_bytes())?;
    write_chunks(&stream, &body(seed, REQUEST))?;
    let (mut number, mut answer) = ([0; 8], vec![0; ANSWER]);
    stream.read_exact(&mut number)?;
    stream.read_exact(&mut answer)?;
    let number = u64::from_be_bytes(number);
    if answer == body(number, ANSWER) {
        Ok(number)
    } else {
        Err(io::Error::other(format!("the answer of server {number} is another than it sent")))
    }
}

/// A DNS query from a port of its own.
fn query(service: SocketAddr, name: &str, kind: TYPE, patience: Duration) -> io::Result<Vec<u8>> {
    let any: SocketAddr = match service {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(service)?;
    socket.set_read_timeout(Some(patience))?;
    let mut packet = Packet::new_query(fastrand::u16(..));
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(Name::new_unchecked(name), QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    *packet.opt_mut() = Some(rdata::OPT { opt_codes: Vec::new(), udp_packet_size: 4096, version: 0 });
    socket.send(&packet.build_bytes_vec().map_err(io::Error::other)?)?;
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn answers(bytes: &[u8]) -> io::Result<Vec<RData<'_>>> {
    let packet = Packet::parse(bytes).map_err(io::Error::other)?;
    Ok(packet.answers.into_iter().map(|record| record.rdata).collect())
}

/// Asks who answers for `who.test`: the number of the server.
pub(crate) fn ask(service: SocketAddr, patience: Duration) -> io::Result<u64> {
    let kind = if service.is_ipv4() { TYPE::A } else { TYPE::AAAA };
    let bytes = query(service, "who.test", kind, patience)?;
    let address: IpAddr = match answers(&bytes)?.as_slice() {
        [RData::A(a)] => Ipv4Addr::from(a.address).into(),
        [RData::AAAA(aaaa)] => Ipv6Addr::from(aaaa.address).into(),
        other => return Err(io::Error::other(format!("answered {other:?}"))),
    };
    Ok(match address {
        IpAddr::V4(v4) => v4.octets()[3].into(),
        IpAddr::V6(v6) => v6.segments()[7].into(),
    })
}

/// Asks for something that is longer than a packet.
pub(crate) fn ask_long(service: SocketAddr, patience: Duration) -> io::Result<()> {
    let bytes = query(service, "long.test", TYPE::TXT, patience)?;
    let length = LONG.iter().sum::<usize>();
    match answers(&bytes)?.as_slice() {
        [RData::TXT(_)] if bytes.len() > length && bytes.iter().filter(|byte| **byte == b'x').count() >= length => {
            Ok(())
        }
        other => Err(io::Error::other(format!("answered {other:?}"))),
    }
}
