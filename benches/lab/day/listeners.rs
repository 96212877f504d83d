//! The servers that are checked: all of them in this process, on loopback addresses.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};

enum Order {
    Open(SocketAddrV4),
    Close(SocketAddrV4),
}

/// Dropped, they all end.
pub struct Listeners {
    orders: Option<mpsc::UnboundedSender<(Order, oneshot::Sender<anyhow::Result<()>>)>>,
    accepted: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Listeners {
    /// Room for so many, in a thread of their own.
    pub fn start(count: usize) -> anyhow::Result<Self> {
        // ipvsd, which inherits it, wants some thousands as well.
        let enough = Some((count as u64 * 2).max(65_536));
        setrlimit(Resource::Nofile, Rlimit { current: enough, maximum: enough }).context("so many descriptors")?;
        let (orders, mut queue) = mpsc::unbounded_channel::<(Order, oneshot::Sender<anyhow::Result<()>>)>();
        let accepted = Arc::new(AtomicU64::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let counter = Arc::clone(&accepted);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let mut open = BTreeMap::new();
                while let Some((order, done)) = queue.recv().await {
                    let result = match order {
                        Order::Open(address) => listen(address).map(|listener| {
                            open.insert(address, tokio::spawn(accept(listener, Arc::clone(&counter))));
                        }),
                        Order::Close(address) => close(open.remove(&address)).await,
                    };
                    // Whoever asked may have gone.
                    let _ = done.send(result);
                }
            });
        });
        Ok(Self { orders: Some(orders), accepted, thread: Some(thread) })
    }

    pub fn open(&self, address: SocketAddrV4) -> anyhow::Result<()> {
        self.order(Order::Open(address)).with_context(|| format!("cannot listen on {address}"))
    }

    pub fn close(&self, address: SocketAddrV4) -> anyhow::Result<()> {
        self.order(Order::Close(address)).with_context(|| format!("cannot close {address}"))
    }

    /// Connections so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    fn order(&self, order: Order) -> anyhow::Result<()> {
        let (done, wait) = oneshot::channel();
        let orders = self.orders.as_ref().context("they have ended")?;
        orders.send((order, done)).map_err(|_| anyhow!("they have ended"))?;
        wait.blocking_recv().context("they have ended")?
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(address: SocketAddrV4) -> anyhow::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address.into())?;
    Ok(socket.listen(16)?)
}

/// Returns when the socket is closed.
async fn close(task: Option<tokio::task::JoinHandle<()>>) -> anyhow::Result<()> {
    let task = task.context("nobody listens there")?;
    task.abort();
    // It ends by being aborted.
    let _ = task.await;
    Ok(())
}

async fn accept(listener: TcpListener, accepted: Arc<AtomicU64>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(until_it_ends(stream));
            }
            // Whoever connected has gone again.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// The other side closes first, so that no socket of ours waits.
async fn until_it_ends(mut stream: TcpStream) {
    let mut nothing = [0; 16];
    while let Ok(1..) = stream.read(&mut nothing).await {}
}
