//! The thin edge: limits, broken answers, streams in pieces, TLS as docker clients have it.

use std::fs;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::model::{DockerTls, Endpoint};
use crate::source::docker::client::{Client, SHORT};

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Answers every connection with these pieces.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, pieces: &[&str]) -> String {
    let head = read_head(&mut stream).await;
    for piece in pieces {
        // One that has heard enough hangs up.
        if stream.write_all(piece.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    _ = stream.shutdown().await;
    head
}

/// What a client makes of an answer to `/x`.
fn asked(pieces: &[&str], most: usize) -> Result<String, String> {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let client = Client { endpoint: Endpoint::Unix(path), tls: None };
        let serve = async { answer(listener.accept().await.unwrap().0, pieces).await };
        let (answer, head) = tokio::join!(client.get("/x?y=z", most, SHORT), serve);
        assert!(head.starts_with("GET /x?y=z HTTP/1.1\r\nhost: docker\r\nuser-agent: ipvsd/"), "{head}");
        answer.map(|answer| String::from_utf8(answer.body.to_vec()).unwrap())
    })
}

#[test]
fn answers_good_and_bad() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(asked(&[ok, "[]"], 2), Ok("[]".into()));
    assert_eq!(asked(&[ok, "[]"], 1), Err("its answer is longer than 0 MiB".into()));
    assert!(asked(&[ok, "["], 9).is_err(), "half an answer is none");
    assert_eq!(asked(&[], 9), Err("the connection was closed".into()));
    assert_eq!(asked(&["hello\r\n\r\n"], 9), Err("its answer is not HTTP/1".into()));
    let refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 39\r\n\r\n{\"message\":\"client is too\\nold\\u001b!\"}";
    assert_eq!(asked(&[refused], 9), Err("it answers 400 to /x: client is too old !".into()));
    assert_eq!(asked(&["HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"], 9), Err("it answers 500 to /x".into()));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let endless: Vec<String> = (0..100).map(|_| format!("400\r\n{}\r\n", "x".repeat(1024))).collect();
    let pieces: Vec<&str> = std::iter::once(chunked).chain(endless.iter().map(String::as_str)).collect();
    assert_eq!(asked(&pieces, 50 << 10), Err("its answer is longer than 0 MiB".into()));
}

#[test]
fn the_clock_of_the_engine_is_in_its_answers() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let client = Client { endpoint: Endpoint::Unix(path), tls: None };
        let pieces = ["HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 02:58:52 GMT\r\nContent-Length: 0\r\n\r\n"];
        let serve = async { answer(listener.accept().await.unwrap().0, &pieces).await };
        let (answer, _) = tokio::join!(client.get("/", 9, SHORT), serve);
        assert_eq!(answer.unwrap().clock, Some(1_796_007_532));
    });
}

#[test]
fn a_socket_that_is_not_there_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let get = || {
        let client = Client { endpoint: Endpoint::Unix(path.clone()), tls: None };
        run(async move { client.get("/", 9, SHORT).await.map(|_| ()) }).unwrap_err()
    };
    assert!(get().starts_with("there is no socket "), "{}", get());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(get().starts_with("nobody listens on "), "{}", get());
}

#[test]
fn lines_come_whole_whatever_pieces_they_come_in() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let client = Client { endpoint: Endpoint::Unix(path), tls: None };
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let pieces = [head, "3\r\n{\"a\r\n", "4\r\n\":1}\r\n", "9\r\n\n\n{}\r\n[]\n\r\n", "2\r\nen\r\n", "0\r\n\r\n"];
        let serve = async { answer(listener.accept().await.unwrap().0, &pieces).await };
        let read = async {
            let mut lines = client.stream("/events").await.unwrap();
            let mut found = Vec::new();
            while let Some(line) = lines.next().await.unwrap() {
                found.push(String::from_utf8(line).unwrap());
            }
            found
        };
        let (found, _) = tokio::join!(read, serve);
        assert_eq!(found, ["{\"a\":1}", "{}", "[]"], "and what has no end is none");
    });
}

#[test]
fn a_line_that_is_too_long_is_a_hint_and_the_next_is_read() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let client = Client { endpoint: Endpoint::Unix(path), tls: None };
        let long = format!("40000\r\n{}\r\n", "x".repeat(0x4_0000));
        let mut pieces = vec!["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\n{}\n\r\n"];
        pieces.extend([long.as_str(); 11]);
        pieces.extend(["6\r\nxx\n{}\n\r\n", "0\r\n\r\n"]);
        let serve = async { answer(listener.accept().await.unwrap().0, &pieces).await };
        let read = async {
            let mut lines = client.stream("/events").await.unwrap();
            let mut found = Vec::new();
            while let Some(line) = lines.next().await.unwrap() {
                found.push(String::from_utf8(line).unwrap());
            }
            found
        };
        let (found, _) = tokio::join!(read, serve);
        assert_eq!(found, ["{}", "", "{}"]);
    });
}

#[test]
fn what_may_be_refused_is_nothing_and_what_fails_is_an_error() {
    let ask = |status: &'static str| {
        run(async move {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("docker.sock");
            let listener = UnixListener::bind(&path).unwrap();
            let client = Client { endpoint: Endpoint::Unix(path), tls: None };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n");
            let pieces = [head.as_str(), "{}"];
            let serve = async { answer(listener.accept().await.unwrap().0, &pieces).await };
            let (answer, _) = tokio::join!(client.get_if_allowed("/info", 9, SHORT), serve);
            answer.map(|answer| answer.is_some())
        })
    };
    assert_eq!(ask("200 OK"), Ok(true));
    assert_eq!(ask("403 Forbidden"), Ok(false));
    assert_eq!(ask("500 Internal Server Error"), Err("it answers 500 to /info".into()));
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        roots
    }
}

#[test]
fn tls_takes_an_authority_and_a_certificate_to_show() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (own, key) = authority.sign("me");
    let (own, key) = (file("cert.pem", &own), file("key.pem", &key));
    let (ca, other) = (file("ca.pem", &authority.pem), file("other.pem", &strangers.pem));
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authority.roots()), Arc::clone(&provider));
    let (certificate, private) = authority.sign("localhost");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(private.as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let ask = |tls: DockerTls| {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = Client { endpoint: Endpoint::Tcp { host: "localhost".into(), port }, tls: Some(tls) };
            let serve = async {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let pieces = ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"];
                        assert!(answer(stream, &pieces).await.contains(&format!("host: localhost:{port}\r\n")));
                    }
                }
            };
            tokio::select! {
                answer = client.get("/", 9, SHORT) => answer.map(|answer| answer.body.len()),
                () = serve => Ok(0),
            }
        })
    };
    let client = Some((own, key));
    assert_eq!(ask(DockerTls { ca: Some(ca.clone()), client: client.clone() }), Ok(2));
    assert!(ask(DockerTls { ca: Some(ca), client: None }).is_err(), "it wants to know who asks");
    assert!(ask(DockerTls { ca: Some(other), client }).unwrap_err().starts_with("TLS: "), "it is somebody else");
    let missing = folder.path().join("missing.pem");
    let error = ask(DockerTls { ca: Some(missing), client: None }).unwrap_err();
    assert!(error.contains("missing.pem cannot be read"), "{error}");
    let empty = file("empty.pem", "nothing");
    let error = ask(DockerTls { ca: Some(empty), client: None }).unwrap_err();
    assert!(error.contains("holds no certificate"), "{error}");
}
