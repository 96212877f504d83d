use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::super::connect::{met_itself, reason, refused_mark, source};
use super::super::{Job, run};
use super::servers::{V4, answering};
use super::{LONG, checked_briefly, failed, job, tcp};
use crate::model::Probe;
use socket2::{Domain, Socket, Type};

#[test]
fn the_errors_of_sockets_have_plain_words() {
    let of = |number| reason(&io::Error::from_raw_os_error(number));
    assert_eq!(of(111), "connection refused");
    assert_eq!(of(113), "no route to host");
    assert_eq!(of(101), "network unreachable");
    assert_eq!(of(24), "ipvsd has too many open files");
    assert_eq!(of(22), "invalid argument");
}

#[test]
fn a_refused_mark_names_the_capability() {
    let error = io::Error::from_raw_os_error(1);
    assert_eq!(refused_mark(&error), "to mark its packets, ipvsd needs CAP_NET_ADMIN");
}

#[test]
fn the_source_is_what_leads_to_the_destination_and_never_the_service_itself() {
    let v4 = |last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    // The kernel answers from the loopback's own address.
    assert_eq!(source(v4(1), v4(9)), Ok(v4(1)));
    assert_eq!(source(v4(1), v4(1)), Err("no source address towards 127.0.0.1 but the service's own".to_owned()));
}

#[tokio::test]
async fn a_marked_socket_takes_the_source_that_leads_to_the_destination() {
    let (address, _) = answering("HTTP/1.1 200 OK\r\n\r\n").await;
    let marked = Job { mark: Some(77), destination: V4, ..job(address, tcp(None, None), LONG) };
    // The service's address is the source's here, which no real one's is.
    let result = run(&marked).await;
    match Socket::new(Domain::IPV4, Type::STREAM, None).unwrap().set_mark(77) {
        Ok(()) => assert_eq!(result, failed("no source address towards 127.0.0.1 but the service's own")),
        Err(_) => assert_eq!(result, failed("to mark its packets, ipvsd needs CAP_NET_ADMIN")),
    }
}

#[tokio::test]
async fn marked_tcp_and_udp_sockets_reach_a_service_address_of_this_host() {
    if Socket::new(Domain::IPV4, Type::STREAM, None).unwrap().set_mark(77).is_err() {
        return; // it takes CAP_NET_ADMIN
    }
    let service = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
    let from = super::servers::serve_on(service, |stream| async move {
        // Refuses by a reset whoever came from the service's own address.
        if stream.peer_addr().unwrap().ip() == stream.local_addr().unwrap().ip() {
            return;
        }
        let mut stream = stream;
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"good").await.unwrap();
        super::servers::until_closed(&mut stream).await;
    });
    let address = from.await;
    let probe = tcp(None, super::contains("good"));
    let marked = Job { mark: Some(77), destination: V4, ..job(address, probe, LONG) };
    assert_eq!(run(&marked).await, Ok(()));

    let socket = tokio::net::UdpSocket::bind((service, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut datagram = [0; 16];
        let (_, from) = socket.recv_from(&mut datagram).await.unwrap();
        socket.send_to(from.ip().to_string().as_bytes(), from).await.unwrap();
    });
    let probe = Probe::Udp { send: vec![1], expect: super::contains("127.0.0.1"), silence_is_up: false };
    let marked = Job { mark: Some(77), destination: V4, ..job(address, probe, LONG) };
    assert_eq!(run(&marked).await, Ok(()));
}

#[tokio::test]
async fn a_full_backlog_runs_out_of_time() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from((V4, 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    // What is not accepted fills the queue; then the kernel drops what comes.
    for _ in 0..3 {
        let stream = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
        let _ = stream.connect(&address.into());
        waiting.push(stream);
    }
    assert_eq!(checked_briefly(address, tcp(None, None)).await, failed("no connection within 200ms"));
}

#[tokio::test]
async fn a_socket_that_is_connected_with_itself_is_noticed() {
    // Bound to the port that it connects to, a socket meets itself, as by chance one without a bound port may.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((V4, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap();
    socket.connect(&address).unwrap();
    let address = address.as_socket().unwrap();
    socket.set_nonblocking(true).unwrap();
    let stream = tokio::net::TcpStream::from_std(socket.into()).unwrap();
    assert!(met_itself(&stream, address));
}

#[test]
fn a_zone_is_kept_for_connecting_and_out_of_the_host_header() {
    let address: SocketAddr = "[fe80::1%1]:8080".parse().unwrap();
    assert_eq!(super::super::http::authority(address, 80), "[fe80::1]:8080");
    assert_eq!(super::super::http::authority("[2001:db8::1]:443".parse().unwrap(), 443), "[2001:db8::1]");
    assert_eq!(super::super::http::authority("192.0.2.1:80".parse().unwrap(), 80), "192.0.2.1");
}
