//! Sockets of checks, and what their errors mean.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::Job;

/// Connects, IPv4 or IPv6. However the stream is closed, that sends a reset: none stays in TIME_WAIT here, where
/// thousands of checks a second would use up the local ports. What was written and not yet sent is lost with it.
pub(super) async fn tcp(job: &Job) -> Result<TcpStream, String> {
    let socket = socket(job, Type::STREAM)?;
    socket.set_linger(Some(Duration::ZERO)).map_err(|error| reason(&error))?;
    let stream = TcpSocket::from_std_stream(socket.into());
    let stream = stream.connect(job.address).await.map_err(|error| reason(&error))?;
    if met_itself(&stream, job.address) { Err("connection refused".to_owned()) } else { Ok(stream) }
}

/// Where nobody listens on a port of the ephemeral range of this host, the kernel may choose that very port as the
/// source, and connect the socket with itself.
pub(super) fn met_itself(stream: &TcpStream, address: SocketAddr) -> bool {
    stream.local_addr().is_ok_and(|local| local == address)
}

/// A socket for datagrams from and to the checked address only.
pub(super) fn udp(job: &Job) -> Result<UdpSocket, String> {
    let socket = socket(job, Type::DGRAM)?;
    hear_of_unreachables(&socket, job.address).map_err(|error| reason(&error))?;
    socket.connect(&SockAddr::from(job.address)).map_err(|error| reason(&error))?;
    UdpSocket::from_std(socket.into()).map_err(|error| reason(&error))
}

/// Without it, a socket for datagrams hears of closed ports only, not of hosts and networks that cannot be reached: ip(7),
/// IP_RECVERR.
fn hear_of_unreachables(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let (level, name) = match address {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    let on: libc::c_int = 1;
    let length = size_of_val(&on) as libc::socklen_t;
    #[expect(unsafe_code, reason = "neither rustix nor socket2 has this option")]
    // SAFETY: the descriptor is open, and the value is of the length that is told.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const on).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn socket(job: &Job, kind: Type) -> Result<Socket, String> {
    let socket =
        Socket::new(Domain::for_address(job.address), kind.nonblocking(), None).map_err(|error| reason(&error))?;
    if let Some(mark) = job.mark {
        socket.set_mark(mark).map_err(|error| refused_mark(&error))?;
        let source = source(job.destination, job.address.ip())?;
        socket.bind(&SockAddr::from(SocketAddr::new(source, 0))).map_err(|error| reason(&error))?;
    }
    Ok(socket)
}

pub(super) fn refused_mark(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "to mark its packets, ipvsd needs CAP_NET_ADMIN".to_owned(),
        _ => format!("its packets could not be marked: {}", reason(error)),
    }
}

/// This host's address for packets to `destination`, in the family of `service` and other than that.
pub(super) fn source(destination: IpAddr, service: IpAddr) -> Result<IpAddr, String> {
    // Behind a tunnel, a destination may be of the other family. Then the default route says (RFC 5737, RFC 3849).
    let towards = match service {
        _ if service.is_ipv4() == destination.is_ipv4() => destination,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    };
    let source = chosen_source(towards).map_err(|error| format!("no source address towards {towards}: {error}"))?;
    if source == service {
        return Err(format!("no source address towards {towards} but the service's own"));
    }
    Ok(source)
}

/// What the kernel takes as the source of packets to an address; nothing is sent.
fn chosen_source(towards: IpAddr) -> Result<IpAddr, String> {
    let asked = || {
        let any = if towards.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let socket = std::net::UdpSocket::bind((any, 0))?;
        socket.connect((towards, 9))?; // the discard port; any would do
        Ok(socket.local_addr()?.ip())
    };
    asked().map_err(|error: io::Error| reason(&error))
}

/// Whether the other side cut a connection.
pub(super) fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
    )
}

/// What an error of a socket means, in plain words.
pub(super) fn reason(error: &io::Error) -> String {
    use rustix::io::Errno;
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::CONNREFUSED) => "connection refused".to_owned(),
        Some(Errno::CONNRESET | Errno::PIPE | Errno::CONNABORTED) => "the connection was reset".to_owned(),
        Some(Errno::HOSTUNREACH) => "no route to host".to_owned(),
        Some(Errno::NETUNREACH) => "network unreachable".to_owned(),
        Some(Errno::TIMEDOUT) => "no answer (the system gave up)".to_owned(),
        Some(Errno::ADDRNOTAVAIL) => "no local address or port is free".to_owned(),
        Some(Errno::MFILE | Errno::NFILE) => "ipvsd has too many open files".to_owned(),
        Some(Errno::ACCESS | Errno::PERM) => "not permitted here (a firewall of this host?)".to_owned(),
        Some(errno) => {
            // "Invalid argument (os error 22)" without the number
            let text = io::Error::from(errno).to_string();
            text.split(" (os error").next().unwrap_or_default().to_lowercase()
        }
        None => error.to_string(),
    }
}
