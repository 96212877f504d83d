use std::net::{Ipv6Addr, SocketAddr};

use simple_dns::rdata::{A, AAAA, CNAME, MX, RData, SRV, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, RCODE, ResourceRecord};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;

use super::servers::{V4, closed_port, hanging, serve, until_closed};
use super::{checked, checked_briefly, failed};
use crate::model::{Dns, DnsRecord, DnsTransport, Probe};

/// Turns a query into datagrams.
type Answer = fn(&Packet<'_>) -> Vec<Vec<u8>>;

async fn over_udp(answer: Answer) -> SocketAddr {
    let socket = UdpSocket::bind((V4, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut datagram = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut datagram).await {
            for answer in answer(&Packet::parse(&datagram[..length]).unwrap()) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
    address
}

async fn over_tcp(answer: Answer) -> SocketAddr {
    serve(move |mut stream| async move {
        let length = stream.read_u16().await.unwrap();
        let mut query = vec![0; usize::from(length)];
        stream.read_exact(&mut query).await.unwrap();
        for answer in answer(&Packet::parse(&query).unwrap()) {
            stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
        until_closed(&mut stream).await;
    })
    .await
}

fn reply<'a>(query: &Packet<'a>, rcode: RCODE, records: Vec<RData<'a>>) -> Packet<'a> {
    let mut packet = Packet::new_reply(query.id());
    *packet.rcode_mut() = rcode;
    packet.questions = query.questions.clone();
    let name = query.questions[0].qname.clone();
    packet.answers = records.into_iter().map(|data| ResourceRecord::new(name.clone(), CLASS::IN, 60, data)).collect();
    packet
}

fn wire(packet: &Packet<'_>) -> Vec<Vec<u8>> {
    vec![packet.build_bytes_vec_compressed().unwrap()]
}

/// Answers for a small zone.
fn zone(query: &Packet<'_>) -> Vec<Vec<u8>> {
    assert!(query.has_flags(PacketFlag::RECURSION_DESIRED));
    let name = |name| Name::new(name).unwrap();
    let records = vec![
        RData::CNAME(CNAME(name("Web.Example"))),
        RData::A(A { address: 0xc000_0201 }),
        RData::A(A { address: 0xc000_0202 }),
        RData::AAAA(AAAA { address: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into() }),
        RData::MX(MX { preference: 10, exchange: name("mx.example") }),
        RData::SRV(SRV { priority: 1, weight: 2, port: 5060, target: name("sip.example") }),
        RData::TXT(TXT::new().with_string("v=spf1 -all").unwrap()),
    ];
    match query.questions[0].qname.to_string().as_str() {
        "" | "web.example" => wire(&reply(query, RCODE::NoError, records)),
        "broken.example" => wire(&reply(query, RCODE::ServerFailure, Vec::new())),
        _ => wire(&reply(query, RCODE::NameError, Vec::new())),
    }
}

fn dns(name: &str, record: DnsRecord, answer: Option<&str>) -> Dns {
    Dns { transport: DnsTransport::Udp, name: name.to_owned(), record, rcode: 0, answer: answer.map(str::to_owned) }
}

fn tcp(dns: Dns) -> Probe {
    Probe::Dns(Dns { transport: DnsTransport::Tcp, ..dns })
}

#[tokio::test]
async fn an_answer_is_found_among_others_over_both_transports() {
    let (udp_server, tcp_server) = (over_udp(zone).await, over_tcp(zone).await);
    for (record, answer) in [
        (DnsRecord::A, "192.0.2.2"),
        (DnsRecord::Aaaa, "2001:db8:0:0::1"),
        (DnsRecord::Cname, "web.example."),
        (DnsRecord::Mx, "10 MX.example"),
        (DnsRecord::Srv, "1 2 5060 sip.example."),
        (DnsRecord::Txt, "\"v=spf1 -all\""),
    ] {
        let dns = dns("web.example.", record, Some(answer));
        assert_eq!(checked(udp_server, Probe::Dns(dns.clone())).await, Ok(()), "{answer}");
        assert_eq!(checked(tcp_server, tcp(dns)).await, Ok(()), "{answer}");
    }
}

#[tokio::test]
async fn another_answer_is_none() {
    let address = over_udp(zone).await;
    let a = dns("web.example", DnsRecord::A, Some("192.0.2.3"));
    assert_eq!(checked(address, Probe::Dns(a)).await, failed("the answer is 192.0.2.1, expected 192.0.2.3"));
    let ns = dns("web.example", DnsRecord::Ns, Some("ns.example."));
    assert_eq!(checked(address, Probe::Dns(ns)).await, failed("there is no answer, expected ns.example."));
}

#[tokio::test]
async fn the_response_code_decides() {
    let address = over_udp(zone).await;
    assert_eq!(checked(address, Probe::Dns(dns(".", DnsRecord::Soa, None))).await, Ok(()));
    let broken = dns("broken.example", DnsRecord::Soa, None);
    assert_eq!(checked(address, Probe::Dns(broken.clone())).await, failed("rcode SERVFAIL, expected NOERROR"));
    let missing = Dns { rcode: 3, ..dns("missing.example", DnsRecord::Soa, None) };
    assert_eq!(checked(address, Probe::Dns(missing)).await, Ok(()), "NXDOMAIN is what was expected");
    let broken = Dns { rcode: 3, ..broken };
    assert_eq!(checked(address, Probe::Dns(broken)).await, failed("rcode SERVFAIL, expected NXDOMAIN"));
}

#[tokio::test]
async fn an_answer_to_another_query_is_passed_over() {
    let wrong: Answer = |query| {
        let mut other = Packet::new_reply(query.id().wrapping_add(1));
        *other.rcode_mut() = RCODE::Refused;
        wire(&other)
    };
    let soa = dns(".", DnsRecord::Soa, None);
    assert_eq!(
        checked_briefly(over_udp(wrong).await, Probe::Dns(soa.clone())).await,
        failed("answers, but none to the question within 200ms")
    );
    let late: Answer = |query| {
        let other = Packet::new_reply(query.id().wrapping_add(1));
        let echo = Packet::new_query(query.id());
        [wire(&other), wire(&echo), vec![b"x".to_vec()], zone(query)].concat()
    };
    assert_eq!(checked(over_udp(late).await, Probe::Dns(soa.clone())).await, Ok(()));
    assert_eq!(checked(over_tcp(wrong).await, tcp(soa)).await, failed("the answer is not to the question"));
}

#[tokio::test]
async fn a_truncated_answer_is_enough_for_its_code_only() {
    let truncated: Answer = |query| {
        let mut reply = reply(query, RCODE::NoError, Vec::new());
        reply.set_flags(PacketFlag::TRUNCATION);
        wire(&reply)
    };
    let address = over_udp(truncated).await;
    assert_eq!(checked(address, Probe::Dns(dns("web.example", DnsRecord::A, None))).await, Ok(()));
    assert_eq!(
        checked(address, Probe::Dns(dns("web.example", DnsRecord::A, Some("192.0.2.1")))).await,
        failed("the answer is truncated: check over tcp")
    );
}

#[tokio::test]
async fn an_answer_that_claims_more_than_it_holds_is_not_dns() {
    let hollow: Answer = |query| {
        let mut message = wire(&reply(query, RCODE::NoError, Vec::new())).remove(0);
        message[6..8].copy_from_slice(&[0xff, 0xff]);
        vec![message]
    };
    let a = dns("web.example", DnsRecord::A, Some("192.0.2.1"));
    assert_eq!(checked(over_udp(hollow).await, Probe::Dns(a)).await, failed("the answer is not DNS"));
}

#[tokio::test]
async fn what_is_silent_or_closed_is_said_to_be() {
    let silent: Answer = |_| Vec::new();
    let soa = dns(".", DnsRecord::Soa, None);
    assert_eq!(
        checked_briefly(over_udp(silent).await, Probe::Dns(soa.clone())).await,
        failed("no answer within 200ms")
    );
    assert_eq!(checked(closed_port(), Probe::Dns(soa.clone())).await, failed("port unreachable"));
    assert_eq!(checked(closed_port(), tcp(soa.clone())).await, failed("connection refused"));
    assert_eq!(
        checked_briefly(hanging().await, tcp(soa.clone())).await,
        failed("no answer within 200ms (connected, sent the request)")
    );
    let closing = serve(|mut stream| async move {
        let _ = stream.read_u16().await;
        stream.write_all(&[0, 40, 1]).await.unwrap();
        stream.shutdown().await.unwrap();
        until_closed(&mut stream).await;
    });
    assert_eq!(checked(closing.await, tcp(soa.clone())).await, failed("the connection was closed after the request"));
    let nameless = Dns { name: "x".repeat(64), ..soa };
    let reason = checked(closed_port(), Probe::Dns(nameless)).await.unwrap_err();
    assert!(reason.ends_with("is no name"), "{reason}");
}
