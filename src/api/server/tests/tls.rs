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

/// A client that trusts `authority`, and shows a certificate if there is one.
struct Client {
    runtime: tokio::runtime::Runtime,
    stream: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
}

impl Client {
    fn new(bench: &Bench, authority: &Authority, own: Option<&(String, String)>) -> Result<Self, String> {
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
        let stream = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await?;
            TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await
        });
        Ok(Self { runtime, stream: stream.map_err(|error| error.to_string())? })
    }

    /// Sends this, and gets what comes until the answer has ended.
    fn ask(&mut self, request: &str) -> Result<u16, String> {
        let exchange = async {
            self.stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            while !answer.ends_with(b"read") && self.stream.read_buf(&mut answer).await? > 0 {}
            Ok(Answer::of(&String::from_utf8_lossy(&answer)).status)
        };
        self.runtime.block_on(exchange).map_err(|error: io::Error| error.to_string())
    }

    fn goes_on(&mut self) -> bool {
        self.ask("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n") == Ok(200)
    }

    /// Reads until the other end is done with it.
    fn is_seen_out(&mut self) {
        let mut rest = Vec::new();
        let ended = async { tokio::time::timeout(AMPLE, self.stream.read_to_end(&mut rest)).await };
        self.runtime.block_on(ended).expect("it goes on").expect("it was said good-bye to");
        assert!(rest.is_empty());
    }
}

/// Asks for `/`, on a connection of its own.
fn ask(bench: &Bench, authority: &Authority, own: Option<&(String, String)>) -> Result<u16, String> {
    Client::new(bench, authority, own)?.ask(&request("GET", "/", "", ""))
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

#[test]
fn whoever_is_not_trusted_any_more_is_seen_out() {
    let (authority, first, second) = (Authority::new(), Authority::new(), Authority::new());
    let bench = bench(&authority, Some(&first));
    let (of_first, of_second) = (first.sign("client"), second.sign("client"));
    let mut kept = Client::new(&bench, &authority, Some(&of_first)).unwrap();
    assert!(kept.goes_on());
    // Another authority beside it changes nothing for those of the first.
    fs::write(bench.path("clients.pem"), format!("{}{}", first.pem, second.pem)).unwrap();
    until(|| ask(&bench, &authority, Some(&of_second)) == Ok(200));
    assert!(kept.goes_on());
    let mut other = Client::new(&bench, &authority, Some(&of_second)).unwrap();
    fs::write(bench.path("clients.pem"), &second.pem).unwrap();
    kept.is_seen_out();
    assert!(other.goes_on());
    assert!(ask(&bench, &authority, Some(&of_first)).is_err());
}

#[test]
fn what_was_plain_does_not_go_on_beside_tls() {
    let authority = Authority::new();
    let with_tls = bench(&authority, None);
    let tls = with_tls.wanted.borrow().as_ref().unwrap().tls.clone();
    let bench = Bench::new(|_, _| {});
    let mut plain = bench.connect();
    bench.want(|api| api.tls = tls);
    assert_eq!(plain.read(&mut [0]).unwrap(), 0);
    assert_eq!(ask(&bench, &authority, None), Ok(200));
}
