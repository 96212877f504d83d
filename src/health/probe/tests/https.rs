use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType, date_time_ymd};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, version};

use super::servers::{self, read_head, serve, until_closed};
use super::{checked, checked_briefly, contains, failed, get};
use crate::model::{Http, Probe, Tls};

/// An authority, and the file that it is trusted from.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "an authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, folder: tempfile::tempdir().unwrap() };
        std::fs::write(authority.file(), authority.issuer.pem()).unwrap();
        authority
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn trusted(&self) -> Tls {
        Tls { ca: Some(self.file()), ..Tls::default() }
    }

    fn issue(&self, params: CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        config(certificate, key)
    }
}

fn config(certificate: rcgen::Certificate, key: KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn named(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

fn for_loopback() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress(servers::V4)];
    params
}

fn self_signed(params: CertificateParams) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    config(certificate, key)
}

/// SNI and ALPN of the connections.
type Met = Arc<Mutex<Vec<(Option<String>, Option<Vec<u8>>)>>>;

async fn secured(config: ServerConfig) -> (SocketAddr, Met) {
    secured_on(servers::V4, config).await
}

async fn secured_on(address: IpAddr, config: ServerConfig) -> (SocketAddr, Met) {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let met = Met::default();
    let log = met.clone();
    let address = servers::serve_on(address, move |stream| {
        let (acceptor, log) = (acceptor.clone(), log.clone());
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let session = stream.get_ref().1;
            let (name, protocol) =
                (session.server_name().map(str::to_owned), session.alpn_protocol().map(<[u8]>::to_vec));
            log.lock().unwrap().push((name, protocol));
            read_head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nall well").await;
            // It leaves without the good-bye of TLS, as many do.
            let _ = stream.flush().await;
            let _ = stream.get_mut().0.shutdown().await;
            until_closed(stream.get_mut().0).await;
        }
    });
    (address.await, met)
}

fn https(tls: Tls) -> Probe {
    Probe::Http(Http { tls: Some(tls), body: contains("all well"), ..get() })
}

fn named_host(tls: Tls, host: &str) -> Probe {
    Probe::Http(Http { tls: Some(tls), host: Some(host.to_owned()), ..get() })
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_for_an_address() {
    let authority = Authority::new();
    let (address, met) = secured(authority.issue(for_loopback())).await;
    assert_eq!(checked(address, https(authority.trusted())).await, Ok(()));
    assert_eq!(met.lock().unwrap()[0], (None, Some(b"http/1.1".to_vec())), "an address is no SNI (RFC 6066)");
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress("::1".parse().unwrap())];
    let (address, _) = secured_on("::1".parse().unwrap(), authority.issue(params)).await;
    assert_eq!(checked(address, https(authority.trusted())).await, Ok(()));
}

#[tokio::test]
async fn tls_1_2_is_enough() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let certificate = for_loopback().signed_by(&key, &authority.issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&version::TLS12]).unwrap().with_no_client_auth();
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let (address, _) = secured(config).await;
    assert_eq!(checked(address, https(authority.trusted())).await, Ok(()));
    assert_eq!(checked(address, https(Tls { insecure: true, ..Tls::default() })).await, Ok(()));
}

#[tokio::test]
async fn the_name_is_sent_and_verified() {
    let authority = Authority::new();
    let (address, met) = secured(authority.issue(named("web.example"))).await;
    let trusted = authority.trusted();
    assert_eq!(checked(address, named_host(trusted.clone(), "web.example:8443")).await, Ok(()));
    let tls = Tls { server_name: Some("web.example".to_owned()), ..trusted.clone() };
    assert_eq!(checked(address, named_host(tls, "other.example")).await, Ok(()));
    assert_eq!(
        checked(address, named_host(trusted.clone(), "other.example")).await,
        failed("the certificate is not valid for other.example: it is for web.example")
    );
    assert_eq!(
        checked(address, https(trusted)).await,
        failed("the certificate is not valid for 127.0.0.1: it is for web.example")
    );
    let names: Vec<_> = met.lock().unwrap().iter().map(|(name, _)| name.clone()).collect();
    // Those that are refused may or may not have been met.
    assert_eq!(names[..2], [Some("web.example".to_owned()), Some("web.example".to_owned())]);
}

#[tokio::test]
async fn a_name_with_many_others_names_some() {
    let authority = Authority::new();
    let names: Vec<String> = ["a", "b", "c", "d", "e"].iter().map(|name| format!("{name}.example")).collect();
    let (address, _) = secured(authority.issue(CertificateParams::new(names).unwrap())).await;
    assert_eq!(
        checked(address, https(authority.trusted())).await,
        failed("the certificate is not valid for 127.0.0.1: it is for a.example, b.example, c.example, 2 more")
    );
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let authority = Authority::new();
    let mut params = for_loopback();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    let (address, _) = secured(authority.issue(params)).await;
    assert_eq!(checked(address, https(authority.trusted())).await, failed("the certificate has expired"));
    let mut params = for_loopback();
    params.not_before = date_time_ymd(4000, 1, 1);
    let (address, _) = secured(authority.issue(params)).await;
    assert_eq!(checked(address, https(authority.trusted())).await, failed("the certificate is not valid yet"));
}

#[tokio::test]
async fn a_certificate_of_nobody_that_is_trusted_is_refused() {
    let authority = Authority::new();
    let (address, _) = secured(self_signed(for_loopback())).await;
    assert_eq!(
        checked(address, https(authority.trusted())).await,
        failed("the certificate's issuer is not trusted (self-signed)")
    );
    let mut params = for_loopback();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (address, _) = secured(self_signed(params)).await;
    assert_eq!(
        checked(address, https(authority.trusted())).await,
        failed(
            "the certificate's issuer is not trusted \
             (self-signed, and an authority itself (CA:TRUE), which no server may be)"
        )
    );
    let other = Authority::new();
    let mut params = for_loopback();
    params.distinguished_name.push(rcgen::DnType::CommonName, "a server");
    let (address, _) = secured(other.issue(params)).await;
    let refused = checked(address, https(authority.trusted())).await.unwrap_err();
    assert!(refused.starts_with("the certificate's "), "{refused}");
    assert!(!refused.contains("self-signed"), "{refused}");
}

#[tokio::test]
async fn insecure_takes_any_certificate() {
    let mut params = named("web.example");
    params.not_after = date_time_ymd(2021, 1, 1);
    let (address, _) = secured(self_signed(params)).await;
    assert_eq!(checked(address, https(Tls { insecure: true, ..Tls::default() })).await, Ok(()));
}

#[tokio::test]
async fn an_authority_that_is_renewed_in_its_file_is_noticed() {
    let (old, new) = (Authority::new(), Authority::new());
    let (address, _) = secured(new.issue(for_loopback())).await;
    let tls = old.trusted();
    assert!(checked(address, https(tls.clone())).await.is_err());
    // As a careful hand does it: under another name first.
    let draft = old.folder.path().join("draft");
    std::fs::write(&draft, new.issuer.pem()).unwrap();
    std::fs::rename(&draft, old.file()).unwrap();
    assert_eq!(checked(address, https(tls)).await, Ok(()));
}

#[tokio::test]
async fn a_file_of_authorities_that_is_none_is_said_to_be() {
    let authority = Authority::new();
    let (address, _) = secured(authority.issue(for_loopback())).await;
    let path = authority.folder.path().join("other.pem");
    let tls = Tls { ca: Some(path.clone()), ..Tls::default() };
    let wrong = |why: &str| failed(&format!("the authorities in {} cannot be read: {why}", path.display()));
    assert_eq!(checked(address, https(tls.clone())).await, wrong("No such file or directory"));
    std::fs::write(&path, "nothing").unwrap();
    assert_eq!(checked(address, https(tls.clone())).await, wrong("it holds no certificate"));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(checked(address, https(tls)).await, wrong("it is not a file"));
}

#[tokio::test]
async fn a_server_without_tls_or_that_breaks_off_is_said_to() {
    let tls = || https(Tls { insecure: true, ..Tls::default() });
    let (address, _) = servers::answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    // It waits for the end of a request that never comes, or answers something else than TLS.
    assert_eq!(
        checked_briefly(address, tls()).await,
        failed("no answer within 200ms (connected, in the TLS handshake)")
    );
    let plain = serve(|mut stream| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        until_closed(&mut stream).await;
    });
    assert_eq!(checked(plain.await, tls()).await, failed("the answer is not TLS"));
    let early = checked(servers::resetting().await, tls()).await.unwrap_err();
    assert!(early.starts_with("the connection was reset"), "{early}");
    let closing = serve(|mut stream| async move {
        stream.shutdown().await.unwrap();
        until_closed(&mut stream).await;
    });
    assert_eq!(checked(closing.await, tls()).await, failed("the connection was closed in the TLS handshake"));
}

#[tokio::test]
async fn a_server_that_knows_no_such_protocol_refuses() {
    let authority = Authority::new();
    let mut config = authority.issue(for_loopback());
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (address, _) = secured(config).await;
    assert_eq!(
        checked(address, https(authority.trusted())).await,
        failed("the server refused TLS: no protocol in common (ALPN)")
    );
}

#[tokio::test]
async fn a_session_is_never_resumed_so_that_each_check_sees_the_certificate() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(for_loopback()), Authority::new().issue(for_loopback()));
    let resolver = Arc::new(Switch(Mutex::new(old.cert_resolver.clone())));
    let mut config = old;
    config.cert_resolver = resolver.clone();
    let (address, _) = secured(config).await;
    assert_eq!(checked(address, https(authority.trusted())).await, Ok(()));
    *resolver.0.lock().unwrap() = new.cert_resolver;
    assert!(checked(address, https(authority.trusted())).await.is_err());
}

/// A server whose certificate changes.
#[derive(Debug)]
struct Switch(Mutex<Arc<dyn tokio_rustls::rustls::server::ResolvesServerCert>>);

impl tokio_rustls::rustls::server::ResolvesServerCert for Switch {
    fn resolve(
        &self,
        hello: tokio_rustls::rustls::server::ClientHello<'_>,
    ) -> Option<Arc<tokio_rustls::rustls::sign::CertifiedKey>> {
        self.0.lock().unwrap().resolve(hello)
    }
}
