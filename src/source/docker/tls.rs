//! TLS with an engine, as docker clients have it: authorities of its own, and a certificate to show.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::model::DockerTls;

/// A file that is larger is none of these.
const LIMIT: u64 = 8 << 20;

/// Reads the files, which takes a while: not for a thread on which others wait.
pub(super) fn config(settings: &DockerTls) -> Result<Arc<ClientConfig>, String> {
    let DockerTls { ca, client } = settings;
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if roots.is_empty() {
        return Err("there is no authority to trust: name some with docker.tls.ca".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?
        .with_root_certificates(roots);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let private = PrivateKeyDer::from_pem_slice(&read(key)?)
                .map_err(|error| format!("{} holds no private key in PEM: {error}", key.display()))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, private)
                .map_err(|error| format!("{} and {} do not fit: {error}", certificate.display(), key.display()))?
        }
    };
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{} holds no certificate", path.display())),
        Err(error) => Err(format!("{} is not PEM: {error}", path.display())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| {
        let error = error.to_string();
        format!("{} cannot be read: {}", path.display(), error.split(" (os error").next().unwrap_or_default())
    };
    // To open a pipe would take for ever.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    let mut held = Vec::new();
    fs::File::open(path).and_then(|file| file.take(LIMIT).read_to_end(&mut held)).map_err(unreadable)?;
    Ok(held)
}
