//! Configurations of rustls, made once for each kind of check, and again when a file of authorities has changed.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Protocol;
use super::verifier::{Anyone, Verifier};
use crate::model::Tls;

/// So many are kept; more than that are only there after many reloads.
const KEPT: usize = 256;

/// A file of authorities that is larger is not one.
const CA_LIMIT: u64 = 8 * 1024 * 1024;

/// What makes a difference: whom to trust, and what is spoken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    insecure: bool,
    ca: Option<PathBuf>,
    protocol: Protocol,
}

/// What a file changes with its content: modification time, size, and which file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    size: u64,
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { modified: (metadata.mtime(), metadata.mtime_nsec()), size: metadata.len(), inode: metadata.ino() }
    }
}

type Made = HashMap<Key, (Option<Stamp>, Arc<ClientConfig>)>;

static MADE: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);

/// The authorities of the system take a while to read. They are read once: the programs that came with the system do
/// the same.
static SYSTEM: OnceCell<Arc<RootCertStore>> = OnceCell::const_new();

/// The configuration for a check.
pub(super) async fn of(tls: &Tls, protocol: Protocol) -> Result<Arc<ClientConfig>, String> {
    let ca = if tls.insecure { None } else { tls.ca.clone() };
    let key = Key { insecure: tls.insecure, ca, protocol };
    let stamp = match &key.ca {
        Some(path) => Some(Stamp::of(&fs::metadata(path).map_err(|error| unreadable(path, &error.to_string()))?)),
        None => None,
    };
    if let Some((known, config)) = MADE.lock().unwrap_or_else(PoisonError::into_inner).get(&key)
        && *known == stamp
    {
        return Ok(config.clone());
    }
    let config = Arc::new(make(&key).await?);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if made.len() >= KEPT {
        made.clear();
    }
    made.insert(key, (stamp, config.clone()));
    Ok(config)
}

async fn make(key: &Key) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if key.insecure {
        Arc::new(Anyone::new(provider.clone()))
    } else {
        let roots = match &key.ca {
            Some(path) => Arc::new(off_the_loop(path.clone(), |path| authorities(&path)).await?),
            None => SYSTEM.get_or_try_init(|| off_the_loop((), |()| system())).await?.clone(),
        };
        Arc::new(Verifier::new(roots, provider.clone())?)
    };
    config(provider, verifier, key.protocol)
}

fn config(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    protocol: Protocol,
) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = builder
        .map_err(|error| format!("TLS: {error}"))?
        .dangerous() // the one of the two verifiers is, and only on demand
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = match protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 => vec![b"h2".to_vec()],
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Reads files where that holds up no other check.
async fn off_the_loop<A: Send + 'static, T: Send + 'static>(
    argument: A,
    read: fn(A) -> Result<T, String>,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(move || read(argument)).await {
        Ok(result) => result,
        Err(error) => Err(format!("the authorities could not be read: {error}")),
    }
}

fn system() -> Result<Arc<RootCertStore>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(format!("the system has no authorities to trust (name some with `ca`){why}"));
    }
    Ok(Arc::new(roots))
}

fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error.to_string()))?;
    // To open a pipe would take for ever.
    if !metadata.is_file() {
        return Err(unreadable(path, "it is not a file"));
    }
    let mut pem = Vec::new();
    let opened = fs::File::open(path).and_then(|file| file.take(CA_LIMIT).read_to_end(&mut pem));
    opened.map_err(|error| unreadable(path, &error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unreadable(path, &format!("not PEM: {error}")))?;
        roots.add(certificate).map_err(|error| unreadable(path, &error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unreadable(path, "it holds no certificate"));
    }
    Ok(roots)
}

fn unreadable(path: &Path, why: &str) -> String {
    let why = why.split(" (os error").next().unwrap_or_default();
    format!("the authorities in {} cannot be read: {why}", path.display())
}
