//! `tcp`: connects.

use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpSocket;

use super::Job;

pub(super) async fn run(job: &Job) -> Result<(), String> {
    let socket = if job.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(|error| format!("no socket: {error}"))?;
    let options = SockRef::from(&socket);
    // Closed by a reset: nothing waits on our side.
    options.set_linger(Some(Duration::ZERO)).map_err(|error| format!("no socket: {error}"))?;
    if let Some(mark) = job.mark {
        options.set_mark(mark).map_err(|error| format!("no mark on the socket: {error}"))?;
    }
    socket.connect(job.address).await.map(drop).map_err(|error| error.to_string())
}
