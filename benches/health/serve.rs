//! The servers: a process of its own, which ends with its standard input.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Where the search for a free port begins.
const FIRST_PORT: u16 = 18_080;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

pub struct Server {
    child: Child,
    pub port: u16,
}

impl Server {
    /// Starts so many of them, in a process of this same program.
    pub fn start(count: u32) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let port = line.trim().parse().context("the servers did not start")?;
        Ok(Self { child, port })
    }

    pub fn stop(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        ensure!(self.child.wait()?.success(), "the servers failed");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // They end with their standard input, however this process ends.
        drop(self.child.stdin.take());
    }
}

/// Serves until standard input ends. Says the port on standard output.
pub fn serve(count: Option<&str>) -> anyhow::Result<()> {
    let count = count.context("how many?")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (listeners, port) = runtime.block_on(async { listen(count) })?;
    println!("{port}");
    for listener in listeners {
        runtime.spawn(accept(listener));
    }
    let (send, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = send.send(());
    });
    let _ = runtime.block_on(ended);
    Ok(())
}

fn listen(count: u32) -> anyhow::Result<(Vec<TcpListener>, u16)> {
    let all = |port| -> std::io::Result<Vec<TcpListener>> {
        let one = |index| {
            let socket = TcpSocket::new_v4()?;
            // The last run may have left connections in TIME_WAIT.
            socket.set_reuseaddr(true)?;
            socket.bind(SocketAddr::new(super::address(index), port))?;
            socket.listen(128)
        };
        (0..count).map(one).collect()
    };
    let mut port = FIRST_PORT;
    loop {
        match all(port) {
            Ok(listeners) => return Ok((listeners, port)),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && port < FIRST_PORT + 100 => port += 1,
            Err(error) => return Err(error).context("cannot listen"),
        }
    }
}

async fn accept(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(answer(stream))),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Answers a request. Whoever only connects has gone before.
async fn answer(mut stream: TcpStream) {
    let mut request = [0; 1024];
    if let Ok(1..) = stream.read(&mut request).await {
        let _ = stream.write_all(ANSWER).await;
    }
}
