//! TLS, and certificates of clients.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

/// An authority, and what it signed.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

pub(super) fn bench(authority: &Authority, clients: Option<&Authority>) -> Bench {
    Bench::new(|folder, api| {
        let (certificate, key) = authority.sign("localhost");
        fs::write(folder.join("tls.pem"), certificate).unwrap();
        fs::write(folder.join("tls.key"), key).unwrap();
        if let Some(clients) = clients {
            fs::write(folder.join("clients.pem"), &clients.pem).unwrap();
        }
        api.tls = Some(ApiTls {
            certificate: folder.join("tls.pem"),
            key: folder.join("tls.key"),
            client_ca: clients.map(|_| folder.join("clients.pem")),
        });
    })
}

/// Asks for `/`, trusting `authority`, and showing a certificate if there is one.
fn ask(bench: &Bench, authority: &Authority, own: Option<&(String, String)>) -> Result<u16, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    let address = bench.address();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::new(config));
        let name = "localhost".try_into().unwrap();
        let mut stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
        let request = request("GET", "/", "", "");
        stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
        Ok(Answer::of(&String::from_utf8_lossy(&answer)).status)
    })
}

#[test]
fn it_speaks_tls_and_nothing_else() {
    let (authority, other) = (Authority::new(), Authority::new());
    let bench = bench(&authority, None);
    assert_eq!(ask(&bench, &authority, None), Ok(200));
    assert!(ask(&bench, &other, None).is_err(), "it is who it is");
    assert_eq!(bench.ask("GET", "/", "").status, 0, "plain text gets no answer");
}

#[test]
fn a_certificate_is_read_again_when_it_changes() {
    let (before, after) = (Authority::new(), Authority::new());
    let bench = bench(&before, None);
    assert_eq!(ask(&bench, &before, None), Ok(200));
    let (certificate, key) = after.sign("localhost");
    // For a moment they are no pair, which leaves the old one in force.
    fs::write(bench.path("tls.pem"), certificate).unwrap();
    thread::sleep(LOOK + Duration::from_millis(500));
    assert_eq!(ask(&bench, &before, None), Ok(200));
    fs::write(bench.path("tls.key"), key).unwrap();
    until(|| ask(&bench, &after, None) == Ok(200));
    assert!(ask(&bench, &before, None).is_err());
}

#[test]
fn clients_have_to_have_a_certificate() {
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let bench = bench(&authority, Some(&clients));
    assert_eq!(ask(&bench, &authority, Some(&clients.sign("client"))), Ok(200));
    assert!(ask(&bench, &authority, None).is_err());
    assert!(ask(&bench, &authority, Some(&strangers.sign("client"))).is_err());
}

#[test]
fn what_is_no_certificate_opens_nothing() {
    let authority = Authority::new();
    for (name, text) in [("tls.pem", "no pem"), ("tls.key", ""), ("clients.pem", "-----BEGIN CERTIFICATE-----\nx\n")] {
        let bench = bench(&authority, Some(&authority));
        bench.listens();
        bench.wanted.send_replace(None);
        until(|| bench.listening.borrow().is_none());
        fs::write(bench.path(name), text).unwrap();
        let tls = ApiTls {
            certificate: bench.path("tls.pem"),
            key: bench.path("tls.key"),
            client_ca: Some(bench.path("clients.pem")),
        };
        let listen = ApiListen::Tcp(([127, 0, 0, 1], 0).into());
        bench.wanted.send_replace(Some(Arc::new(Api { listen, tls: Some(tls), ..Api::default() })));
        thread::sleep(Duration::from_millis(300));
        assert_eq!(*bench.listening.borrow(), None, "{name}");
    }
}
