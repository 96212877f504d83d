//! What the server goes by that stands in files: tokens, the certificate and its key, the authorities of clients.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tracing::warn;

use super::access::Tokens;
use crate::model::{Api, ApiListen, ApiTls};

/// A file that is larger is something else.
const LARGEST: u64 = 4 << 20;

/// What is asked, and what was read for it.
pub(super) struct Rules {
    pub(super) api: Arc<Api>,
    pub(super) tokens: Option<Tokens>,
    pub(super) tls: Option<Tls>,
    /// Whoever reaches it may write, and it is reached from this host only.
    pub(super) is_open_on_loopback: bool,
}

/// How TLS begins, and who may.
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// Whom clients have to have a certificate of, if they have to have one.
    pub(super) authorities: Option<Arc<Authorities>>,
}

#[derive(Debug)]
pub(super) struct Authorities {
    list: Vec<CertificateDer<'static>>,
    verifier: Arc<dyn ClientCertVerifier>,
}

/// The other end of a connection, as far as it had to show who it is.
#[derive(Debug)]
pub(super) enum Peer {
    /// Over a unix socket.
    Local,
    Plain,
    Tls {
        chain: Vec<CertificateDer<'static>>,
        /// By these it was found good.
        by: Option<Arc<Authorities>>,
    },
}

/// What a file changes with its content: modification time, size, and which file it is. Nothing if it cannot be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<(i64, i64, u64, u64)>);

/// The files that rules are made of, as they were when they were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps(Vec<(PathBuf, Stamp)>);

impl Stamps {
    /// Waits for the disk.
    pub(super) fn of(api: &Api) -> Self {
        let stamp = |metadata: Metadata| (metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino());
        let files = api.tls.iter().flat_map(|ApiTls { certificate, key, client_ca }| {
            [Some(certificate), Some(key), client_ca.as_ref()].into_iter().flatten()
        });
        let files = files.chain(&api.tokens);
        Self(files.map(|path| (path.clone(), Stamp(fs::metadata(path).ok().map(stamp)))).collect())
    }
}

impl Rules {
    /// Reads the files. Waits for the disk.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(super) fn read(api: Arc<Api>) -> Result<Self, String> {
        let tokens = api.tokens.as_deref().map(tokens).transpose()?;
        let tls = api.tls.as_ref().map(tls).transpose()?;
        let is_loopback = matches!(&api.listen, ApiListen::Tcp(address) if address.ip().is_loopback());
        let is_open_on_loopback = is_loopback && tokens.is_none();
        Ok(Self { api, tokens, tls, is_open_on_loopback })
    }
}

impl Rules {
    /// Whether a connection that has begun could begin now.
    pub(super) fn trusts(&self, peer: &Peer) -> bool {
        match (peer, &self.tls) {
            (Peer::Local, _) | (Peer::Plain, None) => true,
            (Peer::Plain, Some(_)) | (Peer::Tls { .. }, None) => false,
            (Peer::Tls { chain, by }, Some(Tls { authorities, .. })) => {
                let Some(now) = authorities else { return true };
                by.as_ref().is_some_and(|by| by.list == now.list) || now.vouch_for(chain)
            }
        }
    }
}

impl Authorities {
    fn read(path: &Path, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let list = certificates(path)?;
        for certificate in &list {
            roots.add(certificate.clone()).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
        let verifier = verifier.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { list, verifier })
    }

    fn vouch_for(&self, chain: &[CertificateDer<'static>]) -> bool {
        let Some((own, others)) = chain.split_first() else { return false };
        self.verifier.verify_client_cert(own, others, UnixTime::now()).is_ok()
    }
}

fn tokens(path: &Path) -> Result<Tokens, String> {
    let text = String::from_utf8(read(path)?).map_err(|_| format!("{} is not text", path.display()))?;
    let tokens = Tokens::parse(path, &text)?;
    if fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0) {
        warn!("everybody on this host can read the tokens: chmod o-r {}", path.display());
    }
    Ok(tokens)
}

fn tls(tls: &ApiTls) -> Result<Tls, String> {
    let ApiTls { certificate, key, client_ca } = tls;
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|error| format!("{} has no private key in PEM: {error}", key.display()))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let authorities = client_ca.as_ref().map(|path| Authorities::read(path, &provider).map(Arc::new)).transpose()?;
    let builder = match &authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => builder.with_client_cert_verifier(Arc::clone(&authorities.verifier)),
    };
    let mut config = builder
        .with_single_cert(chain, private)
        .map_err(|error| format!("{} and {} are no pair: {error}", certificate.display(), key.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), authorities })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match list {
        Ok(list) if list.is_empty() => Err(format!("{} has no certificate in PEM", path.display())),
        Ok(list) => Ok(list),
        Err(error) => Err(format!("{} is not in PEM: {error}", path.display())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let metadata = fs::metadata(path).map_err(unreadable)?;
    // What is no file, such as a pipe, may never end.
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(format!("{} is no file of at most {} MiB", path.display(), LARGEST >> 20));
    }
    fs::read(path).map_err(unreadable)
}
