use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::servers::{self, NO_SOCKETS, answering, closed_port, hanging, serve, sockets_towards, until_closed};
use super::{checked, checked_briefly, failed};
use crate::model::{Grpc, Probe};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header that is in no table (RFC 7541, section 6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| [u8::try_from(text.len()).unwrap()];
    [&[0][..], &length(name), name.as_bytes(), &length(value), value.as_bytes()].concat()
}

/// The head of an answer, and its end if nothing follows.
fn head(status: &str, more: &[(&str, &str)], end: u8) -> Vec<u8> {
    let mut block = literal(":status", status);
    for (name, value) in more {
        block.extend(literal(name, value));
    }
    frame(HEADERS, END_HEADERS | end, 1, &block)
}

const GRPC: (&str, &str) = ("content-type", "application/grpc+proto");

/// A whole answer with this HealthCheckResponse and this grpc-status.
fn answer(message: &[u8], status: &str) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let framed = [&[0][..], &length, message].concat();
    let trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, &literal("grpc-status", status));
    [head("200", &[GRPC], 0), frame(DATA, 0, 1, &framed), trailers].concat()
}

/// Reads a request up to its end: what its DATA frames held.
async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    let mut data = Vec::new();
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header).await.unwrap();
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.unwrap();
        match (header[3], header[4]) {
            (SETTINGS, 0) => stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await.unwrap(),
            (DATA, flags) => {
                data.extend(payload);
                if flags & END_STREAM != 0 {
                    return data;
                }
            }
            _ => {}
        }
    }
}

/// Answers each request with these frames.
async fn server(frames: Vec<u8>) -> (SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let address = serve(move |mut stream| {
        let (frames, log) = (frames.clone(), log.clone());
        async move {
            let request = read_request(&mut stream).await;
            log.lock().unwrap().push(request);
            let _ = stream.write_all(&frames).await;
            until_closed(&mut stream).await;
        }
    });
    (address.await, seen)
}

fn grpc(service: &str) -> Probe {
    Probe::Grpc(Grpc { tls: None, service: service.to_owned() })
}

async fn answers(frames: Vec<u8>) -> Result<(), String> {
    let (address, _) = server(frames).await;
    let result = checked(address, grpc("web")).await;
    assert_eq!(sockets_towards(address), NO_SOCKETS, "not even one in TIME_WAIT");
    result
}

#[tokio::test]
async fn serving_is_up_and_nothing_else() {
    assert_eq!(answers(answer(&[8, 1], "0")).await, Ok(()));
    assert_eq!(answers(answer(&[8, 2], "0")).await, failed("NOT_SERVING"));
    assert_eq!(answers(answer(&[8, 0], "0")).await, failed("UNKNOWN"));
    assert_eq!(answers(answer(&[], "0")).await, failed("UNKNOWN"));
    assert_eq!(answers(answer(&[8, 3], "0")).await, failed("unknown service \"web\""));
    assert_eq!(answers(answer(&[8, 9], "0")).await, failed("serving status 9"));
}

#[tokio::test]
async fn the_service_is_asked_for_by_its_name() {
    let (address, seen) = server(answer(&[8, 1], "0")).await;
    assert_eq!(checked(address, grpc("web")).await, Ok(()));
    assert_eq!(checked(address, grpc("")).await, Ok(()));
    assert_eq!(*seen.lock().unwrap(), [vec![0, 0, 0, 0, 5, 0x0a, 3, b'w', b'e', b'b'], vec![0, 0, 0, 0, 0]]);
}

#[tokio::test]
async fn an_answer_that_is_only_an_error_has_its_status_in_the_headers() {
    let only = |status, message| head("200", &[GRPC, ("grpc-status", status), ("grpc-message", message)], END_STREAM);
    assert_eq!(answers(only("5", "")).await, failed("unknown service \"web\""));
    assert_eq!(answers(only("12", "")).await, failed("the server has no grpc.health.v1 (UNIMPLEMENTED)"));
    assert_eq!(answers(only("14", "going down")).await, failed("grpc-status UNAVAILABLE: going down"));
    assert_eq!(answers(only("99", "")).await, failed("grpc-status 99: "));
    let (address, _) = server(only("5", "")).await;
    assert_eq!(checked(address, grpc("")).await, failed("the server does not know its own health (NOT_FOUND)"));
}

#[tokio::test]
async fn a_status_in_the_trailers_outweighs_the_message() {
    assert_eq!(answers(answer(&[8, 1], "13")).await, failed("grpc-status INTERNAL"));
    let none = [head("200", &[GRPC], 0), frame(DATA, END_STREAM, 1, &[0, 0, 0, 0, 2, 8, 1])].concat();
    assert_eq!(answers(none).await, failed("the answer has no grpc-status"));
}

#[tokio::test]
async fn what_is_not_grpc_is_said_to() {
    let html = ("content-type", "text/html");
    assert_eq!(answers(head("200", &[html], END_STREAM)).await, failed("the answer is not gRPC but \"text/html\""));
    assert_eq!(answers(head("502", &[html], END_STREAM)).await, failed("status 502, expected 200"));
    assert_eq!(answers(answer(&[0x0b], "0")).await, failed("the answer is not one of grpc.health.v1"));
    let (address, _) = answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(checked(address, grpc("")).await, failed("the answer is not HTTP/2"));
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read_to_its_end() {
    let message = vec![0; 16 * 1024];
    let pieces: Vec<u8> = (0..3).flat_map(|_| frame(DATA, 0, 1, &message)).collect();
    let address = serve(move |mut stream| {
        let pieces = pieces.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(&head("200", &[GRPC], 0)).await.unwrap();
            // More than the window lets through, which is a fault of its own.
            while stream.write_all(&pieces).await.is_ok() {}
        }
    });
    let reason = checked(address.await, grpc("")).await.unwrap_err();
    assert!(reason.contains("64 KiB") || reason.starts_with("HTTP/2: "), "{reason}");
}

#[tokio::test]
async fn what_breaks_or_hangs_is_said_to() {
    assert_eq!(checked(closed_port(), grpc("")).await, failed("connection refused"));
    let asked = failed("no answer within 200ms (connected, sent the request)");
    assert_eq!(checked_briefly(hanging().await, grpc("")).await, asked);
    let (silent, _) = server(Vec::new()).await;
    assert_eq!(checked_briefly(silent, grpc("")).await, asked);
    let (begun, _) = server(head("200", &[GRPC], 0)).await;
    assert_eq!(checked_briefly(begun, grpc("")).await, failed("the answer did not end within 200ms"));
    let reset = checked(servers::resetting_after_request().await, grpc("")).await;
    assert_eq!(reset, failed("the connection was reset after the request"));
    let closing = serve(|mut stream| async move {
        read_request(&mut stream).await;
        stream.shutdown().await.unwrap();
        until_closed(&mut stream).await;
    });
    assert_eq!(checked(closing.await, grpc("")).await, failed("the connection was closed after the request"));
    let refused = answers(frame(RST_STREAM, 0, 1, &7_u32.to_be_bytes())).await.unwrap_err();
    assert!(refused.starts_with("HTTP/2: "), "{refused}");
    let gone = answers(frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11])).await.unwrap_err();
    assert!(gone.starts_with("HTTP/2: "), "{gone}");
}
