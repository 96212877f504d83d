//! The dns check: one query (RFC 1035), over UDP or TCP.

mod text;

use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, TYPE, header_buffer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answer::quoted;
use super::phase::Phase;
use super::{Job, connect, udp};
use crate::model::{Dns, DnsRecord, DnsTransport};

pub(super) async fn run(job: &Job, dns: &Dns, phase: &mut Phase) -> Result<(), String> {
    let id = fastrand::u16(..);
    let query = query(dns, id)?;
    match dns.transport {
        DnsTransport::Udp => over_udp(job, dns, id, &query, phase).await,
        DnsTransport::Tcp => over_tcp(job, dns, id, &query, phase).await,
    }
}

async fn over_udp(job: &Job, dns: &Dns, id: u16, query: &[u8], phase: &mut Phase) -> Result<(), String> {
    let socket = connect::udp(job)?;
    *phase = Phase::Sent;
    udp::send(&socket, query).await?;
    loop {
        let answer = udp::receive(&socket).await?;
        if is_answer(&answer, id) {
            return judge(&answer, dns);
        }
        // A late answer to another, or somebody who guesses: the true one may still come.
        *phase = Phase::Answering("answers, but none to the question".to_owned());
    }
}

async fn over_tcp(job: &Job, dns: &Dns, id: u16, query: &[u8], phase: &mut Phase) -> Result<(), String> {
    let mut stream = connect::tcp(job).await?;
    let broken = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "the connection was closed after the request".to_owned(),
        _ if connect::is_reset(&error) => "the connection was reset after the request".to_owned(),
        _ => connect::reason(&error),
    };
    *phase = Phase::Sending;
    let length = u16::try_from(query.len()).map_err(|_| "the query is too long".to_owned())?;
    // In one piece: there are servers that read length and query at once (RFC 7766, section 8).
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await.map_err(broken)?;
    *phase = Phase::Asked;
    let length = stream.read_u16().await.map_err(broken)?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await.map_err(broken)?;
    match is_answer(&answer, id) {
        true => judge(&answer, dns),
        false => Err("the answer is not to the question".to_owned()),
    }
}

fn query(dns: &Dns, id: u16) -> Result<Vec<u8>, String> {
    let no_name = |_| format!("{} is no name", quoted(dns.name.as_bytes()));
    let name = Name::new(&dns.name).map_err(no_name)?;
    let mut packet = Packet::new_query(id);
    // A resolver is of no use without; who has the zone does not mind.
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(name, QTYPE::TYPE(record(dns.record)), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().map_err(no_name)
}

fn record(record: DnsRecord) -> TYPE {
    match record {
        DnsRecord::A => TYPE::A,
        DnsRecord::Aaaa => TYPE::AAAA,
        DnsRecord::Cname => TYPE::CNAME,
        DnsRecord::Mx => TYPE::MX,
        DnsRecord::Ns => TYPE::NS,
        DnsRecord::Ptr => TYPE::PTR,
        DnsRecord::Soa => TYPE::SOA,
        DnsRecord::Srv => TYPE::SRV,
        DnsRecord::Txt => TYPE::TXT,
    }
}

fn is_answer(message: &[u8], id: u16) -> bool {
    header_buffer::id(message) == Ok(id) && header_buffer::has_flags(message, PacketFlag::RESPONSE) == Ok(true)
}

fn judge(message: &[u8], dns: &Dns) -> Result<(), String> {
    // The header alone says this much: what follows may be of types that nobody here can read.
    let rcode = message.get(3).map_or(0, |flags| flags & 0x0f);
    if rcode != dns.rcode {
        return Err(format!("rcode {}, expected {}", text::rcode(rcode), text::rcode(dns.rcode)));
    }
    let Some(expected) = &dns.answer else { return Ok(()) };
    let packet = parse(message).ok_or("the answer is not DNS")?;
    let wanted = QTYPE::TYPE(record(dns.record));
    let records = || packet.answers.iter().filter(|record| record.match_qtype(wanted));
    let mut found = records().filter_map(|record| text::of(&record.rdata));
    if found.any(|text| text::is_same(&text, expected, dns.record)) {
        return Ok(());
    }
    if header_buffer::has_flags(message, PacketFlag::TRUNCATION) == Ok(true) {
        return Err("the answer is truncated: check over tcp".to_owned());
    }
    let what = match records().find_map(|record| text::of(&record.rdata)) {
        Some(first) => format!("the answer is {}", super::answer::plain(first.as_bytes())),
        None => "there is no answer".to_owned(),
    };
    Err(format!("{what}, expected {}", super::answer::plain(expected.as_bytes())))
}

/// Reads a message, unless it claims to hold more records than can be in it.
fn parse(message: &[u8]) -> Option<Packet<'_>> {
    const SHORTEST_RECORD: usize = 11;
    let counts = [header_buffer::answers, header_buffer::name_servers, header_buffer::additional_records];
    for count in counts {
        if usize::from(count(message).ok()?) * SHORTEST_RECORD > message.len() {
            return None;
        }
    }
    Packet::parse(message).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Dns, DnsRecord, DnsTransport, judge, query};

    fn asked() -> Dns {
        let (name, answer) = ("web.example".to_owned(), Some("192.0.2.1".to_owned()));
        Dns { transport: DnsTransport::Udp, name, record: DnsRecord::A, rcode: 0, answer }
    }

    proptest! {
        /// Whoever answers may send what it likes: that is a reason, never a panic.
        #[test]
        fn no_answer_makes_it_panic(
            kind in prop::sample::select(vec![1_u8, 2, 5, 6, 12, 15, 16, 28, 33, 41, 46, 47, 50, 64, 65, 99, 255]),
            data in prop::collection::vec(any::<u8>(), 0..80),
            length in any::<u8>(),
            counts in prop::array::uniform3(0..3_u8),
            cut in 0..200_usize,
        ) {
            let mut message = query(&asked(), 7).unwrap();
            message[2..12].copy_from_slice(&[0x80, 0, 0, 1, 0, counts[0], 0, counts[1], 0, counts[2]]);
            for _ in 0..counts.iter().sum() {
                message.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 9, 0, length.min(data.len() as u8)]);
                message.extend(&data);
            }
            message.truncate(cut.max(12));
            prop_assert!(judge(&message, &asked()).is_err() || kind == 1);
        }
    }
}
