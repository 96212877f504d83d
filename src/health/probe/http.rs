//! The http and https checks: one request of HTTP/1.1 on a connection of its own.
//!
//! A redirect is an answer like others. The body is read only if something is expected of it, and never more than its
//! first 64 KiB.

use std::io;
use std::net::SocketAddr;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Builder, Connection};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING, USER_AGENT,
};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::{compile, missing, plain, quoted};
use super::phase::Phase;
use super::{ANSWER_LIMIT, Job, connect, drive, tls};
use crate::model::{Http, Match};

/// How ipvsd calls itself.
pub(super) const AGENT: &str = concat!("ipvsd/", env!("CARGO_PKG_VERSION"));

pub(super) async fn run(job: &Job, http: &Http, phase: &mut Phase) -> Result<(), String> {
    let request = request(job.address, http)?;
    let stream = connect::tcp(job).await?;
    match &http.tls {
        None => exchange(stream, request, http, phase).await,
        Some(tls) => {
            *phase = Phase::Securing;
            let name = tls::server_name(tls, host(http), job.address.ip())?;
            let stream = tls::connect(stream, tls, name, tls::Protocol::Http1).await?;
            exchange(stream, request, http, phase).await
        }
    }
}

/// The host that is asked for, if one is named.
fn host(http: &Http) -> Option<&str> {
    let header = || http.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    http.host.as_deref().or_else(|| header().map(|(_, value)| value.as_str()))
}

fn request(address: SocketAddr, http: &Http) -> Result<Request<Empty<Bytes>>, String> {
    let mut request = Request::new(Empty::new());
    let wrong = |what: &str, value: &str| format!("{} is no {what}", quoted(value.as_bytes()));
    *request.method_mut() = http.method.parse().map_err(|_| wrong("method", &http.method))?;
    *request.uri_mut() = http.path.parse().map_err(|_| wrong("path", &http.path))?;
    let default_port = if http.tls.is_some() { 443 } else { 80 };
    let host = match host(http) {
        Some(host) => host.to_owned(),
        None => authority(address, default_port),
    };
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&host).map_err(|_| wrong("host", &host))?);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    for (name, value) in &http.headers {
        let name: HeaderName = name.parse().map_err(|_| wrong("name of a header", name))?;
        let value = HeaderValue::from_str(value).map_err(|_| wrong("value of a header", value))?;
        match name {
            HOST | CONNECTION => {} // the one is there already, the other is not for a check to say
            USER_AGENT => drop(headers.insert(name, value)),
            _ => drop(headers.append(name, value)),
        }
    }
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

/// `10.0.0.11:8080`, `[2001:db8::11]:8080`; without the port that goes without saying. No zone: that means something
/// to this host only (RFC 6874).
pub(super) fn authority(address: SocketAddr, default_port: u16) -> String {
    let port = address.port();
    match (address, port == default_port) {
        (SocketAddr::V4(address), true) => address.ip().to_string(),
        (SocketAddr::V4(address), false) => address.to_string(),
        (SocketAddr::V6(address), true) => format!("[{}]", address.ip()),
        (SocketAddr::V6(address), false) => format!("[{}]:{port}", address.ip()),
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: Request<Empty<Bytes>>,
    http: &Http,
    phase: &mut Phase,
) -> Result<(), String> {
    let mut builder = Builder::new();
    builder.max_buf_size(ANSWER_LIMIT).title_case_headers(true);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| reason(&error, AFTER))?;
    *phase = Phase::Asked;
    let mut connection = Some(connection);
    let answer = drive::alongside(|context| poll(&mut connection, context), sender.send_request(request));
    let answer = answer.await.map_err(|error| reason(&error, AFTER))?;
    judge_head(&answer, http)?;
    let Some(expected) = &http.body else { return Ok(()) };
    *phase = Phase::Answering(format!("status {}, but the body did not end", answer.status().as_u16()));
    let headers = answer.headers();
    let until_closed = !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING);
    let judged = judge_body(answer.into_body(), until_closed, expected);
    drive::alongside(|context| poll(&mut connection, context), judged).await
}

/// Lets a connection do its work until it is done. It is never shut down in good order: that would leave it in
/// TIME_WAIT.
fn poll<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Option<Connection<TokioIo<S>, Empty<Bytes>>>,
    context: &mut std::task::Context<'_>,
) {
    // An error is also that of whoever waits for the answer.
    if connection.as_mut().is_some_and(|connection| connection.poll_without_shutdown(context).is_ready()) {
        *connection = None;
    }
}

fn judge_head(answer: &Response<Incoming>, http: &Http) -> Result<(), String> {
    let status = answer.status();
    let location = answer.headers().get(LOCATION).map(HeaderValue::as_bytes);
    if !http.status.contains(status.as_u16()) {
        let to = match location {
            Some(location) if status.is_redirection() => format!("redirects to {}, ", plain(location)),
            _ => String::new(),
        };
        return Err(format!("{to}status {}, expected {}", status.as_u16(), http.status));
    }
    match (&http.location, location) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(format!("no header Location (status {})", status.as_u16())),
        (Some(expected), Some(location)) if compile(expected)?.is_match(location) => Ok(()),
        (Some(expected), Some(location)) => {
            Err(missing(&format!("it redirects to {}, which", plain(location)), expected))
        }
    }
}

async fn judge_body(mut body: Incoming, until_closed: bool, expected: &Match) -> Result<(), String> {
    let regex = compile(expected)?;
    let mut held = Vec::new();
    let mut whole = false;
    while !whole && held.len() < ANSWER_LIMIT {
        let more = match body.frame().await {
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            // Many a server of TLS just closes the connection at the end, without its good-bye.
            Some(Err(error)) if !(until_closed && is_eof(&error)) => return Err(reason(&error, "in the body")),
            _ => {
                whole = true;
                continue;
            }
        };
        let room = ANSWER_LIMIT - held.len();
        held.extend_from_slice(more.get(..room).unwrap_or(&more));
    }
    if regex.is_match(&held) {
        return Ok(());
    }
    let limit = if whole { "" } else { " (within its first 64 KiB)" };
    Err(format!("{}{limit}", missing("the body", expected)))
}

fn is_eof(error: &hyper::Error) -> bool {
    io_error(error).is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

const AFTER: &str = "after the request";

/// What an error of hyper means, in plain words.
fn reason(error: &hyper::Error, when: &str) -> String {
    if let Some(error) = io_error(error) {
        return broken(error, when);
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return format!("the connection was closed {when}");
    }
    if error.is_parse() {
        // There is no question to ask of the error for that.
        return match error.to_string().contains("too large") {
            true => "the headers of the answer are too many or too long".to_owned(),
            false => "the answer is not HTTP/1".to_owned(),
        };
    }
    error.to_string()
}

/// What it means that a connection broke, in plain words.
pub(super) fn broken(error: &io::Error, when: &str) -> String {
    // The crate h2 says this where the other side has closed; the kernel says it where that has reset.
    let is_closed = error.kind() == io::ErrorKind::BrokenPipe && error.raw_os_error().is_none();
    match tls::reason(error) {
        Some(reason) => reason,
        None if is_closed => format!("the connection was closed {when}"),
        None if connect::is_reset(error) => format!("the connection was reset {when}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => format!("the connection was closed {when}"),
        None => connect::reason(error),
    }
}

/// The error of the connection that is behind an error of hyper.
pub(super) fn io_error(error: &hyper::Error) -> Option<&io::Error> {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        next = error.source();
    }
    None
}
