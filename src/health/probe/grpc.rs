//! The grpc check: `grpc.health.v1.Health/Check`, over HTTP/2 from the first byte on.
//!
//! The two messages of that service have one field each, so they are written and read by hand.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::Builder;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::{plain, quoted};
use super::phase::Phase;
use super::{ANSWER_LIMIT, Job, connect, drive, http, tls};
use crate::model::Grpc;

/// What may be under way towards us; no answer is nearly as long.
const WINDOW: u32 = 64 * 1024 - 1;

pub(super) async fn run(job: &Job, grpc: &Grpc, phase: &mut Phase) -> Result<(), String> {
    let request = request(job.address, grpc)?;
    let stream = connect::tcp(job).await?;
    // The preface, the settings and the request are small writes, one after the other.
    stream.set_nodelay(true).map_err(|error| connect::reason(&error))?;
    match &grpc.tls {
        None => exchange(stream, request, grpc, phase).await,
        Some(tls) => {
            *phase = Phase::Securing;
            let name = tls::server_name(tls, None, job.address.ip())?;
            let stream = tls::connect(stream, tls, name, tls::Protocol::Http2).await?;
            if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                return Err("the server does not speak HTTP/2 (ALPN)".to_owned());
            }
            exchange(stream, request, grpc, phase).await
        }
    }
}

fn request(address: SocketAddr, grpc: &Grpc) -> Result<Request<Full<Bytes>>, String> {
    let (scheme, port) = if grpc.tls.is_some() { ("https", 443) } else { ("http", 80) };
    let authority = match grpc.tls.as_ref().and_then(|tls| tls.server_name.as_deref()) {
        Some(name) => name.to_owned(),
        None => http::authority(address, port),
    };
    let uri = format!("{scheme}://{authority}/grpc.health.v1.Health/Check");
    let mut request = Request::new(Full::new(question(&grpc.service).into()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.parse().map_err(|_| format!("{} is no name of a server", quoted(authority.as_bytes())))?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(USER_AGENT, HeaderValue::from_static(http::AGENT));
    Ok(request)
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
    grpc: &Grpc,
    phase: &mut Phase,
) -> Result<(), String> {
    let mut parts = drive::Parts::default();
    let mut builder = Builder::new(parts.executor());
    builder.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| reason(&error, "before the request"))?;
    // Its error is also that of whoever waits for the answer.
    parts.add(async move { drop(connection.await) });
    *phase = Phase::Asked;
    let answer = sender.send_request(request);
    let answer = drive::alongside(|context| parts.poll(context), answer).await;
    let answer = answer.map_err(|error| reason(&error, "after the request"))?;
    let judged = judge_head(&answer, grpc)?;
    *phase = Phase::Answering("the answer did not end".to_owned());
    drive::alongside(|context| parts.poll(context), judge_body(answer.into_body(), judged, grpc)).await
}

/// Whether the status was already there, and well.
fn judge_head(answer: &Response<Incoming>, grpc: &Grpc) -> Result<bool, String> {
    if answer.status() != StatusCode::OK {
        return Err(format!("status {}, expected 200", answer.status().as_u16()));
    }
    let kind = answer.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if !kind.starts_with(b"application/grpc") {
        return Err(format!("the answer is not gRPC but {}", quoted(kind)));
    }
    // An answer that is only an error has no body, and its status is where the trailers would be.
    let judged = answer.headers().contains_key(STATUS);
    if judged {
        judge_status(answer.headers(), grpc)?;
    }
    Ok(judged)
}

async fn judge_body(mut body: Incoming, judged: bool, grpc: &Grpc) -> Result<(), String> {
    let mut held = Vec::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        match frame.map_err(|error| reason(&error, "in the answer"))?.into_data() {
            Ok(data) => held.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
        if held.len() > ANSWER_LIMIT {
            return Err("the answer is longer than 64 KiB".to_owned());
        }
    }
    if !judged {
        judge_status(&trailers, grpc)?;
    }
    match serving_status(&held) {
        Some(1) => Ok(()),
        Some(0) => Err("UNKNOWN".to_owned()),
        Some(2) => Err("NOT_SERVING".to_owned()),
        Some(3) => Err(unknown_service(grpc)),
        Some(other) => Err(format!("serving status {other}")),
        None => Err("the answer is not one of grpc.health.v1".to_owned()),
    }
}

const STATUS: &str = "grpc-status";

fn judge_status(headers: &HeaderMap, grpc: &Grpc) -> Result<(), String> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let Some(status) = headers.get(STATUS) else { return Err("the answer has no grpc-status".to_owned()) };
    let name = status.to_str().ok().and_then(|status| NAMES.get(status.parse::<usize>().ok()?).copied());
    match name {
        Some("OK") => Ok(()),
        Some("NOT_FOUND") => Err(unknown_service(grpc)),
        Some("UNIMPLEMENTED") => Err("the server has no grpc.health.v1 (UNIMPLEMENTED)".to_owned()),
        name => {
            let status = name.map_or_else(|| plain(status.as_bytes()), str::to_owned);
            let message = headers.get("grpc-message").map(|message| format!(": {}", plain(message.as_bytes())));
            Err(format!("grpc-status {status}{}", message.unwrap_or_default()))
        }
    }
}

fn unknown_service(grpc: &Grpc) -> String {
    match grpc.service.as_str() {
        "" => "the server does not know its own health (NOT_FOUND)".to_owned(),
        service => format!("unknown service {}", quoted(service.as_bytes())),
    }
}

/// A HealthCheckRequest, `string service = 1`, as one message that is not compressed.
fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        push_varint(&mut message, service.len());
        message.extend_from_slice(service.as_bytes());
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    framed.extend_from_slice(&message);
    framed
}

fn push_varint(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// The status in a HealthCheckResponse, `ServingStatus status = 1`; 0 if the field is not there. Nothing if this is
/// no such message, or a compressed one.
fn serving_status(framed: &[u8]) -> Option<u64> {
    let (head, message) = framed.split_first_chunk::<5>()?;
    let [0, length @ ..] = head else { return None };
    let mut rest = message.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let mut status = 0;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        match tag & 7 {
            0 if tag >> 3 == 1 => status = varint(&mut rest)?,
            0 => drop(varint(&mut rest)?),
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// What an error of hyper means, in plain words.
fn reason(error: &hyper::Error, when: &str) -> String {
    if let Some(error) = http::io_error(error) {
        return http::broken(error, when);
    }
    if error.is_canceled() || error.is_closed() || error.is_incomplete_message() {
        return format!("the connection was closed {when}");
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let text = deepest.to_string();
    // A server of HTTP/1 answers in a line of text, which as a frame would be far too long.
    if text.ends_with("frame with invalid size") {
        return "the answer is not HTTP/2".to_owned();
    }
    format!("HTTP/2: {}", plain(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{question, serving_status};

    #[test]
    fn the_question_is_a_framed_message() {
        assert_eq!(question(""), [0, 0, 0, 0, 0]);
        assert_eq!(question("web"), [0, 0, 0, 0, 5, 0x0a, 3, b'w', b'e', b'b']);
        let long = question(&"x".repeat(200));
        assert_eq!(long[..8], [0, 0, 0, 0, 203, 0x0a, 200, 1]);
        assert_eq!(long.len(), 208);
    }

    #[test]
    fn the_status_is_found_among_fields_of_later_versions() {
        assert_eq!(serving_status(&[0, 0, 0, 0, 2, 0x08, 1]), Some(1));
        assert_eq!(serving_status(&[0, 0, 0, 0, 0]), Some(0));
        let later = [0x12, 1, b'x', 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4, 0x28, 0x80, 1, 0x08, 2];
        let framed = [&[0, 0, 0, 0, later.len() as u8][..], &later].concat();
        assert_eq!(serving_status(&framed), Some(2));
    }

    #[test]
    fn what_is_no_answer_has_no_status() {
        let torn: [&[u8]; 8] = [
            &[],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 2, 8],
            &[1, 0, 0, 0, 2, 8, 1],
            &[0, 0, 0, 0, 2, 0x08, 0x80],
            &[0, 0, 0, 0, 2, 0x12, 9],
            &[0, 0, 0, 0, 1, 0x0b],
            &[0, 0, 0, 0, 11, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
        ];
        for bytes in torn {
            assert_eq!(serving_status(bytes), None, "{bytes:?}");
        }
    }
}
