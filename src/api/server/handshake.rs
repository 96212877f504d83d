//! How TLS begins. Reckoning with keys takes a thousand times what anything else here does, and whoever comes can have it done: so it
//! is done beside the thread that answers, one at a time, in the order in which they came. Waiting for the other end holds up nobody.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::patient::Patient;

/// So many at a time: never more than one processor's worth.
const HANDS: usize = 1;
/// How long it may take, with the waiting for others.
const WITHIN: Duration = Duration::from_secs(10);

/// Who reckons.
pub(super) struct Desk(Arc<Semaphore>);

impl Default for Desk {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(HANDS)))
    }
}

impl Desk {
    /// The stream, if it comes to one: whoever does not get through knows why.
    pub(super) async fn greet(
        &self,
        acceptor: &TlsAcceptor,
        stream: Patient<TcpStream>,
    ) -> Option<TlsStream<Patient<TcpStream>>> {
        timeout(WITHIN, self.shake(acceptor, stream)).await.ok()?
    }

    async fn shake(&self, acceptor: &TlsAcceptor, stream: Patient<TcpStream>) -> Option<TlsStream<Patient<TcpStream>>> {
        let mut shaking = acceptor.accept(stream);
        loop {
            // What is written fits into what the system takes, so there is nothing else to wait for.
            shaking.get_ref()?.get_ref().readable().await.ok()?;
            let hand = Arc::clone(&self.0).acquire_owned().await.ok()?;
            let step = spawn_blocking(move || {
                // Whoever goes away meanwhile leaves no second one beside it.
                let _hand = hand;
                let polled = Pin::new(&mut shaking).poll(&mut Context::from_waker(Waker::noop()));
                (polled, shaking)
            });
            let (polled, rest) = step.await.ok()?;
            match polled {
                Poll::Ready(stream) => return stream.ok(),
                Poll::Pending => shaking = rest,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::{self, ThreadId};

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;
    use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
    use tokio_rustls::rustls::sign::CertifiedKey as Pair;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

    use super::*;

    /// A certificate that takes its time, and sees who asks for it.
    #[derive(Debug)]
    struct Slow {
        pair: Arc<Pair>,
        threads: Mutex<HashSet<ThreadId>>,
        at_once: AtomicUsize,
        most: AtomicUsize,
    }

    impl ResolvesServerCert for Slow {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<Pair>> {
            self.threads.lock().unwrap().insert(thread::current().id());
            let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(at_once, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(20));
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            Some(Arc::clone(&self.pair))
        }
    }

    #[tokio::test]
    async fn reckoning_is_done_elsewhere_and_one_at_a_time() {
        const COUNT: usize = 8;
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let provider = Arc::new(ring::default_provider());
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let pair = Pair::new(vec![cert.der().clone()], provider.key_provider.load_private_key(key).unwrap());
        let (threads, at_once, most) = (Mutex::default(), AtomicUsize::default(), AtomicUsize::default());
        let slow = Arc::new(Slow { pair: Arc::new(pair), threads, at_once, most });
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let acceptor = TlsAcceptor::from(Arc::new(server.with_cert_resolver(Arc::<Slow>::clone(&slow))));
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let connector = TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Arc::new(Desk::default());
        let mut tasks = Vec::new();
        // One that says nothing holds up nobody.
        let _silent = TcpStream::connect(address).await.unwrap();
        for number in 0..=COUNT {
            if number < COUNT {
                let connector = connector.clone();
                tasks.push(tokio::spawn(async move {
                    let stream = TcpStream::connect(address).await.unwrap();
                    connector.connect("localhost".try_into().unwrap(), stream).await.is_ok()
                }));
            }
            let (stream, _) = listener.accept().await.unwrap();
            let (desk, acceptor) = (Arc::clone(&desk), acceptor.clone());
            let greeting = tokio::spawn(async move { desk.greet(&acceptor, Patient::new(stream)).await.is_some() });
            if number > 0 {
                tasks.push(greeting);
            }
        }
        for task in tasks {
            assert!(task.await.unwrap());
        }
        assert_eq!(slow.most.load(Ordering::SeqCst), HANDS);
        assert!(!slow.threads.lock().unwrap().contains(&thread::current().id()), "it was the one that answers");
    }
}
