//! Where connections come in: a listener on an address or a path, and the task that lets them in.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::spawn_blocking;

use super::rate::Client;
use crate::model::ApiListen;

const BACKLOG: i32 = 1024;
/// As many can have come, and wait.
const MOST_WAITING: usize = BACKLOG as usize + 1;

/// A listener.
pub(super) enum Door {
    Tcp(TcpListener),
    Unix { listener: UnixListener, file: SocketFile },
}

/// The file of a unix socket, which goes with it.
pub(super) struct SocketFile {
    path: PathBuf,
    /// Which file it is: another one may have taken its place.
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            // What is left behind refuses connections, and is replaced by the next one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Who came in.
pub(super) enum Guest {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Door {
    /// Opens it. That takes the disk, of a unix socket and its group, so it is done beside.
    pub(super) async fn open(listen: &ApiListen) -> io::Result<Self> {
        let listen = listen.clone();
        spawn_blocking(move || Self::open_now(&listen)).await.map_err(io::Error::other)?
    }

    fn open_now(listen: &ApiListen) -> io::Result<Self> {
        match listen {
            ApiListen::Tcp(address) => Ok(Self::Tcp(TcpListener::from_std(tcp(*address)?)?)),
            ApiListen::Unix { path, mode, group } => {
                let (listener, file) = unix(path, *mode, group.as_deref())?;
                Ok(Self::Unix { listener: UnixListener::from_std(listener)?, file })
            }
        }
    }

    /// Where it is, with the port that the system chose if it was to.
    pub(super) fn place(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix { .. } => None,
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Guest, Client)> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, from)| over_tcp(stream, from)),
            Self::Unix { listener, .. } => listener.accept().await.map(|(stream, _)| over_unix(stream)),
        }
    }

    /// Shuts it, and gives those who had come until then and were not let in yet: to them it was open.
    pub(super) async fn shut(self) -> Vec<(Guest, Client)> {
        match self {
            Self::Tcp(listener) => {
                let Ok(listener) = listener.into_std() else { return Vec::new() };
                let accept = || -> io::Result<_> {
                    let (stream, from) = listener.accept()?;
                    stream.set_nonblocking(true)?;
                    Ok(over_tcp(TcpStream::from_std(stream)?, from))
                };
                std::iter::from_fn(|| accept().ok()).take(MOST_WAITING).collect()
            }
            Self::Unix { listener, file } => {
                // The next one may want its name: it is gone when this is done.
                let _ = spawn_blocking(move || drop(file)).await;
                let Ok(listener) = listener.into_std() else { return Vec::new() };
                let accept = || -> io::Result<_> {
                    let (stream, _) = listener.accept()?;
                    stream.set_nonblocking(true)?;
                    Ok(over_unix(UnixStream::from_std(stream)?))
                };
                std::iter::from_fn(|| accept().ok()).take(MOST_WAITING).collect()
            }
        }
    }
}

fn over_tcp(stream: TcpStream, from: SocketAddr) -> (Guest, Client) {
    // An answer is not to wait for more of it.
    let _ = stream.set_nodelay(true);
    (Guest::Tcp(stream), Client::of(from.ip()))
}

fn over_unix(stream: UnixStream) -> (Guest, Client) {
    let client = stream.peer_cred().map_or(Client::Other, |peer| Client::User(peer.uid()));
    (Guest::Unix(stream), client)
}

fn tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn unix(path: &Path, mode: u32, group: Option<&str>) -> io::Result<(std::os::unix::net::UnixListener, SocketFile)> {
    let group = group.map(group_id).transpose()?;
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => {
            return Err(io::Error::other("there is something that is no socket: move it away"));
        }
        // Nobody listens on what a process that was killed has left.
        Ok(_) if is_listened_on(path)? => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody else listens there"));
        }
        Ok(_) => fs::remove_file(path)?,
        Err(_) => {}
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Before it listens: nobody else gets in through the gap.
    let file = SocketFile { path: path.to_owned(), inode: fs::symlink_metadata(path)?.ino() };
    std::os::unix::fs::chown(path, None, group)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok((std::os::unix::net::UnixListener::from(OwnedFd::from(socket)), file))
}

/// Whether somebody listens there, be it that the queue is full, which is not waited for.
fn is_listened_on(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) => Ok(error.kind() == io::ErrorKind::WouldBlock),
    }
}

/// By /etc/group: names of other directories are looked up by C libraries only.
fn group_id(name: &str) -> io::Result<u32> {
    let text = fs::read_to_string("/etc/group")?;
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    found.ok_or_else(|| io::Error::other(format!("there is no group {name} in /etc/group")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_come_before_it_is_shut_is_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let door = Door::open(&ApiListen::Tcp("127.0.0.1:0".parse().unwrap())).await.unwrap();
            let place = door.place().unwrap();
            let _clients = [(); 3].map(|()| std::net::TcpStream::connect(place).unwrap());
            assert_eq!(door.shut().await.len(), 3);
            assert!(std::net::TcpStream::connect(place).is_err());
            let door = Door::open(&ApiListen::Unix { path: path.clone(), mode: 0o600, group: None }).await.unwrap();
            let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
            assert_eq!(door.shut().await.len(), 1);
            assert!(!path.exists());
        });
    }

    #[test]
    fn somebody_elses_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let theirs = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let taken = unix(&path, 0o600, None).err().unwrap();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        drop(theirs);
        let (_listener, file) = unix(&path, 0o600, None).unwrap();
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_group_has_a_number() {
        assert_eq!(group_id("root").unwrap(), 0);
        assert!(group_id("nobody-has-this-one").unwrap_err().to_string().contains("no group nobody-has-this-one"));
    }
}
