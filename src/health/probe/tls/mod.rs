//! TLS of checks: whom a server has to be, and what it means when it is not.
//!
//! Sessions are never resumed: a resumed one shows no certificate, and that one expired overnight is what a check is
//! there to find.

mod certificate;
mod settings;
mod verifier;

use std::io;
use std::net::IpAddr;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, OtherError};

use verifier::SelfSigned;

use super::answer::{plain, quoted};
use super::connect;
use crate::model::Tls;

/// What is spoken on top of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Whom the server has to be: the configured name, else the host without its port, else the address.
pub(super) fn server_name(tls: &Tls, host: Option<&str>, address: IpAddr) -> Result<ServerName<'static>, String> {
    let name = match (&tls.server_name, host) {
        (Some(name), _) => name.as_str(),
        (None, Some(host)) => without_port(host),
        (None, None) => return Ok(ServerName::IpAddress(address.into())),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    ServerName::try_from(name.to_owned()).map_err(|_| format!("{} is no name of a server", quoted(name.as_bytes())))
}

/// `web.example:8443`, `[::1]:8443`, `::1` without what is not the host.
fn without_port(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    match host.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => host,
    }
}

/// The handshake, over a connection.
pub(super) async fn connect(
    stream: TcpStream,
    tls: &Tls,
    name: ServerName<'static>,
    protocol: Protocol,
) -> Result<TlsStream<TcpStream>, String> {
    let settings = settings::of(tls, protocol).await?;
    let stream = TlsConnector::from(settings).connect(name, stream).await;
    stream.map_err(|error| match reason(&error) {
        Some(reason) => reason,
        None if connect::is_reset(&error) => "the connection was reset in the TLS handshake".to_owned(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection was closed in the TLS handshake".to_owned()
        }
        None => connect::reason(&error),
    })
}

/// What an error of TLS means, in plain words; nothing if it is not one of TLS.
pub(super) fn reason(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(error) => certificate_reason(error),
        Error::AlertReceived(alert) => format!("the server refused TLS: {}", alert_reason(*alert)),
        Error::InvalidMessage(_) => "the answer is not TLS".to_owned(),
        Error::NoApplicationProtocol => "the server has no protocol in common with the check (ALPN)".to_owned(),
        Error::PeerIncompatible(_) => "the server has no version or cipher of TLS in common with the check".to_owned(),
        Error::NoCertificatesPresented => "the server shows no certificate".to_owned(),
        other => format!("TLS: {other}"),
    })
}

fn certificate_reason(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer => "the certificate's issuer is not trusted".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = plain(expected.to_str().as_bytes());
            format!("the certificate is not valid for {expected}: it is for {}", names(presented))
        }
        CertificateError::NotValidForName => "the certificate is for another name".to_owned(),
        CertificateError::BadSignature => "the certificate's signature is wrong".to_owned(),
        CertificateError::BadEncoding => "the certificate cannot be read".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not one for servers".to_owned()
        }
        CertificateError::Other(OtherError(error)) if error.is::<SelfSigned>() => {
            format!("the certificate's issuer is not trusted ({error})")
        }
        CertificateError::Other(OtherError(error)) => format!("the certificate is not valid: {error}"),
        other => format!("the certificate is not valid: {other}"),
    }
}

/// The names in a certificate, which webpki writes as `DnsName("web.example")` and `IpAddress(10.0.0.1)`.
fn names(presented: &[String]) -> String {
    const SHOWN: usize = 3;
    let name = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        plain(inner.trim_matches('"').as_bytes())
    };
    let mut names: Vec<String> = presented.iter().take(SHOWN).map(name).collect();
    match presented.len() {
        0 => return "no name at all".to_owned(),
        more if more > SHOWN => names.push(format!("{} more", more - SHOWN)),
        _ => {}
    }
    names.join(", ")
}

fn alert_reason(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::HandshakeFailure => "nothing in common (handshake failure)",
        AlertDescription::ProtocolVersion => "no version in common",
        AlertDescription::UnrecognisedName => "it does not know the name",
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => "it wants a client certificate",
        AlertDescription::NoApplicationProtocol => "no protocol in common (ALPN)",
        AlertDescription::InternalError => "internal error",
        AlertDescription::AccessDenied => "access denied",
        other => other.as_str().unwrap_or("an alert"),
    }
}
