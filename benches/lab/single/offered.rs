//! A service that came over the API, and changes of it.

use std::io::{Read as _, Write as _};
use std::net::SocketAddrV4;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use ipvsd::model::{DestinationKey, Protocol, ServiceKey};

use super::WITHIN;
use crate::daemon::Place;
use crate::shape::WEIGHT;

/// Where the daemon listens, and what it was given there.
pub struct Offered {
    socket: PathBuf,
}

/// Of TEST-NET-1, far from all that the file has.
const SERVICE: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(192, 0, 2, 77), 80);
const DESTINATION: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(192, 0, 2, 78), 8080);

/// An answer that is still to come.
pub struct Asked {
    stream: UnixStream,
    pub at: Instant,
}

impl Offered {
    pub fn new(place: &Place) -> Self {
        Self { socket: place.state.join("api.sock") }
    }

    /// For the configuration.
    pub fn section(&self) -> String {
        format!("[api]\nlisten = \"unix:{}\"\n\n", self.socket.display())
    }

    pub fn service() -> ServiceKey {
        ServiceKey::Address { protocol: Protocol::Tcp, address: (*SERVICE.ip()).into(), port: SERVICE.port() }
    }

    pub fn destination() -> DestinationKey {
        DestinationKey { address: (*DESTINATION.ip()).into(), port: DESTINATION.port() }
    }

    /// Puts the service and its destination.
    pub fn put(&self) -> anyhow::Result<()> {
        let (service, destination) = (SERVICE, DESTINATION);
        let body =
            format!(r#"{{"host":"{}","port":{},"protocol":"tcp","method":"wlc"}}"#, service.ip(), service.port());
        self.ask("PUT", "/service/bench", &body)?.done()?;
        let body = format!(
            r#"{{"host":"{}","port":{},"weight":{WEIGHT},"method":"nat","pulse":{{"type":"none"}}}}"#,
            destination.ip(),
            destination.port()
        );
        self.ask("PUT", "/service/bench/one", &body)?.done()
    }

    pub fn delete(&self) -> anyhow::Result<()> {
        self.ask("DELETE", "/service/bench", "")?.done()
    }

    /// Asks for another weight of it.
    pub fn set_weight(&self, weight: u32) -> anyhow::Result<Asked> {
        self.ask("PATCH", "/service/bench/one", &format!(r#"{{"weight":{weight}}}"#))
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Asked> {
        let mut stream = UnixStream::connect(&self.socket).context("the daemon's socket")?;
        stream.set_read_timeout(Some(WITHIN))?;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
        let at = Instant::now();
        stream.write_all(request.as_bytes())?;
        Ok(Asked { stream, at })
    }
}

impl Asked {
    /// Waits for the answer, which must be a good one.
    pub fn done(mut self) -> anyhow::Result<()> {
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "the daemon answered {answer:?}");
        Ok(())
    }
}
