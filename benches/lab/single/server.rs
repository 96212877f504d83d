//! A server that is checked, and goes away when it is told to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::Context as _;

use super::WITHIN;

/// A server that is checked: it answers, until it goes away in the midst of a check.
pub struct Server {
    pub address: SocketAddr,
    is_leaving: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    gone: mpsc::Receiver<Instant>,
    come_back: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<Option<()>>>,
}

impl Server {
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (is_leaving, is_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (say_gone, gone) = mpsc::channel();
        let (come_back, back) = mpsc::channel();
        let (leaving, over) = (Arc::clone(&is_leaving), Arc::clone(&is_over));
        let thread = thread::spawn(move || serve(listener, (&leaving, &over), &say_gone, &back));
        Ok(Self { address, is_leaving, is_over, gone, come_back: Some(come_back), thread: Some(thread) })
    }

    /// The moment when it went.
    pub fn go_away(&self) -> anyhow::Result<Instant> {
        self.is_leaving.store(true, Ordering::Relaxed);
        self.gone.recv_timeout(WITHIN).context("nobody checks")
    }

    pub fn come_back(&self) -> anyhow::Result<()> {
        self.come_back.as_ref().and_then(|back| back.send(()).ok()).context("the server has ended")
    }
}

impl Drop for Server {
    /// Its thread would keep the network namespace, and with it a table that the kernel counts when it lists another one.
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(self.come_back.take());
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    mut listener: TcpListener,
    (is_leaving, is_over): (&AtomicBool, &AtomicBool),
    gone: &mpsc::Sender<Instant>,
    back: &mpsc::Receiver<()>,
) -> Option<()> {
    let address = listener.local_addr().ok()?;
    loop {
        let (mut stream, _) = listener.accept().ok()?;
        if is_over.load(Ordering::Relaxed) {
            return None;
        }
        let mut ping = [0; 4];
        if stream.read_exact(&mut ping).is_err() {
            continue;
        }
        if !is_leaving.swap(false, Ordering::Relaxed) {
            let _ = stream.write_all(b"pong");
            continue;
        }
        drop(listener);
        let at = Instant::now();
        drop(stream);
        gone.send(at).ok()?;
        back.recv().ok()?;
        listener = TcpListener::bind(address).ok()?;
    }
}
