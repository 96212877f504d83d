//! Asks an engine: one request on a connection of its own, with a deadline and a limit to the answer.

use std::io;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, DATE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::tls;
use super::wire::Failure;
use crate::model::{DockerTls, Endpoint};

/// For a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// For a small answer, and for the beginning of a stream.
pub(super) const SHORT: Duration = Duration::from_secs(10);
/// For a list; one of a thousand containers takes an engine a while.
pub(super) const LONG: Duration = Duration::from_secs(60);
/// No small answer is longer, …
pub(super) const SMALL: usize = 4 << 20;
/// … no list, …
pub(super) const LARGE: usize = 64 << 20;
/// … and an event that is longer says no more than that something has happened.
const LINE: usize = 1 << 20;
const AGENT: &str = concat!("ipvsd/", env!("CARGO_PKG_VERSION"));

/// A connection, of whatever kind.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Ends the task that drives a connection.
#[derive(Debug)]
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An engine.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub endpoint: Endpoint,
    pub tls: Option<DockerTls>,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub body: Bytes,
    /// The engine's clock, in seconds since 1970.
    pub clock: Option<u64>,
}

/// What it answers if it does not do it, and that in words.
type Refusal = (StatusCode, String);

impl Answer {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("its answer is not understood: {error}"))
    }
}

impl Client {
    /// Asks for a path with its query, which begins with a slash.
    pub(super) async fn get(&self, path: &str, most: usize, patience: Duration) -> Result<Answer, String> {
        self.whole(path, most, patience).await?.map_err(|(_, why)| why)
    }

    /// The same, of what an engine, or whoever stands before it, may keep to itself: then it is nothing.
    pub(super) async fn get_if_allowed(
        &self,
        path: &str,
        most: usize,
        patience: Duration,
    ) -> Result<Option<Answer>, String> {
        match self.whole(path, most, patience).await? {
            Ok(answer) => Ok(Some(answer)),
            Err((status, _)) if status.is_client_error() => Ok(None),
            Err((_, why)) => Err(why),
        }
    }

    /// An answer, or what was answered in its place.
    async fn whole(&self, path: &str, most: usize, patience: Duration) -> Result<Result<Answer, Refusal>, String> {
        let asked = async {
            let (answer, _driver) = self.ask(path).await?;
            let clock = clock(&answer);
            let status = answer.status();
            let body = collect(answer.into_body(), if status.is_success() { most } else { SMALL }).await?;
            if !status.is_success() {
                return Ok(Err((status, refused(status, &body, path))));
            }
            Ok(Ok(Answer { body, clock }))
        };
        let late = |_| format!("no answer to {} within {}s", plain(path), patience.as_secs());
        timeout(patience, asked).await.map_err(late)?
    }

    /// Asks for something that goes on for ever, in lines.
    pub(super) async fn stream(&self, path: &str) -> Result<Lines, String> {
        let asked = async {
            let (answer, driver) = self.ask(path).await?;
            let status = answer.status();
            if !status.is_success() {
                let body = collect(answer.into_body(), SMALL).await?;
                return Err(refused(status, &body, path));
            }
            Ok(Lines { body: answer.into_body(), held: Vec::new(), searched: 0, passes: false, _driver: driver })
        };
        let late = |_| format!("no answer to {} within {}s", plain(path), SHORT.as_secs());
        timeout(SHORT, asked).await.map_err(late)?
    }

    async fn ask(&self, path: &str) -> Result<(Response<Incoming>, Driver), String> {
        let late = |_| format!("no connection within {}s", CONNECT.as_secs());
        let wire = timeout(CONNECT, self.connect()).await.map_err(late)??;
        let (mut sender, connection) = http1::handshake(TokioIo::new(wire)).await.map_err(|error| reason(&error))?;
        let driver = Driver(tokio::spawn(async move { drop(connection.await) }).abort_handle());
        let host = match &self.endpoint {
            Endpoint::Unix(_) => "docker".to_owned(),
            tcp => tcp.to_string().trim_start_matches("tcp://").to_owned(),
        };
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = path.parse().map_err(|_| format!("{} is no path", plain(path)))?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(&host).map_err(|_| "its address is no name of a host".to_owned())?);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let answer = sender.send_request(request).await.map_err(|error| reason(&error))?;
        Ok((answer, driver))
    }

    async fn connect(&self) -> Result<Box<dyn Wire>, String> {
        match &self.endpoint {
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(|error| of_socket(&error, path))?;
                Ok(Box::new(stream))
            }
            Endpoint::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| words(&error))?;
                // An engine that has gone without a word is noticed, though its stream is silent.
                let alive = TcpKeepalive::new()
                    .with_time(Duration::from_secs(15))
                    .with_interval(Duration::from_secs(5))
                    .with_retries(3);
                _ = SockRef::from(&stream).set_tcp_keepalive(&alive);
                let Some(settings) = self.tls.clone() else { return Ok(Box::new(stream)) };
                let name = ServerName::try_from(host.clone()).map_err(|_| format!("{} is no name", plain(host)))?;
                let config = spawn_blocking(move || tls::config(&settings)).await;
                let config = config.map_err(|error| format!("TLS: {error}"))??;
                let stream = TlsConnector::from(config).connect(name, stream).await;
                Ok(Box::new(stream.map_err(|error| format!("TLS: {}", words(&error)))?))
            }
        }
    }
}

/// The lines of an answer that has no end.
#[derive(Debug)]
pub(super) struct Lines {
    body: Incoming,
    held: Vec<u8>,
    /// So many bytes of it are known to have no line end.
    searched: usize,
    /// What comes belongs to a line that is too long.
    passes: bool,
    _driver: Driver,
}

impl Lines {
    /// The next that is not empty, or an empty one in the place of one that is too long; nothing at the end. Whatever is dropped
    /// while it waits, no byte is lost.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            if let Some(line) = self.at_hand() {
                return Ok(Some(line));
            }
            if self.held.len() > LINE {
                self.held = Vec::new();
                self.searched = 0;
                if !std::mem::replace(&mut self.passes, true) {
                    return Ok(Some(Vec::new()));
                }
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(reason(&error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.held.extend_from_slice(&data);
                    }
                }
            }
        }
    }

    /// The next that is not empty, if all of it has come already.
    pub(super) fn at_hand(&mut self) -> Option<Vec<u8>> {
        while let Some(at) = self.held.get(self.searched..)?.iter().position(|byte| *byte == b'\n') {
            let rest = self.held.split_off(self.searched + at + 1);
            let mut line = std::mem::replace(&mut self.held, rest);
            self.searched = 0;
            line.truncate(line.trim_ascii_end().len());
            if std::mem::take(&mut self.passes) {
                continue;
            }
            if !line.trim_ascii_start().is_empty() {
                return Some(line);
            }
        }
        self.searched = self.held.len();
        None
    }
}

async fn collect(mut body: Incoming, most: usize) -> Result<Bytes, String> {
    let mut held = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| reason(&error))?;
        if let Ok(data) = frame.into_data() {
            if held.len() + data.len() > most {
                return Err(format!("its answer is longer than {} MiB", most >> 20));
            }
            held.extend_from_slice(&data);
        }
    }
    Ok(held.into())
}

fn clock(answer: &Response<Incoming>) -> Option<u64> {
    // `Mon, 30 Nov 2026 03:00:09 GMT`
    let text = answer.headers().get(DATE)?.to_str().ok()?;
    let mut words = text.split_once(", ")?.1.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let at = humantime::parse_rfc3339(&format!("{year}-{month:02}-{day:0>2}T{time}Z")).ok()?;
    at.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

fn refused(status: StatusCode, body: &[u8], path: &str) -> String {
    let said = serde_json::from_slice::<Failure>(body).map(|failure| failure.message).unwrap_or_default();
    let what = path.split('?').next().unwrap_or_default();
    match said.trim() {
        "" => format!("it answers {} to {}", status.as_u16(), plain(what)),
        said => format!("it answers {} to {}: {}", status.as_u16(), plain(what), plain(said)),
    }
}

/// Somebody's text in a sentence.
fn plain(text: &str) -> String {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(300).collect()
}

fn of_socket(error: &io::Error, path: &Path) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no socket {path}: does the engine run?"),
        io::ErrorKind::ConnectionRefused => format!("nobody listens on {path}: does the engine run?"),
        io::ErrorKind::PermissionDenied => format!("no permission to use {path}"),
        _ => format!("{path}: {}", words(error)),
    }
}

fn reason(error: &hyper::Error) -> String {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return words(error);
        }
        next = error.source();
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return "the connection was closed".to_owned();
    }
    if error.is_parse() {
        return "its answer is not HTTP/1".to_owned();
    }
    error.to_string()
}

/// Without the number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    plain(text.split(" (os error").next().unwrap_or_default())
}
