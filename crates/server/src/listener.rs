//! Listening sockets, TCP and Unix.

use std::{
    fs::Permissions,
    io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Connections the kernel holds before they are accepted.
const BACKLOG: i32 = 1024;

/// Owner and group may connect.
const SOCKET_MODE: u32 = 0o660;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Neither `IP:port` nor `unix:/path`.
    #[error("{0:?} is neither IP:port nor unix:/path")]
    NotAnAddress(String),
    /// The service manager passed no socket of this name.
    #[error("no socket named {0:?} was passed: look at FileDescriptorName= of the socket unit")]
    NotPassed(String),
    /// One name stands for several sockets.
    #[error(
        "more than one socket named {0:?} was passed: give each a FileDescriptorName= of its own"
    )]
    PassedTwice(String),
    /// The system refuses.
    #[error("cannot listen on {address}: {source}")]
    Refused {
        /// The address.
        address: String,
        /// What the system says.
        source: io::Error,
    },
}

/// A socket that listens. Dropping it closes it; the file of a Unix socket that was made here is removed.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener, Option<PathBuf>),
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

/// A connection between the runtime that accepted it and the one that serves it.
#[derive(Debug)]
pub(crate) enum Moving {
    Tcp(std::net::TcpStream, IpAddr),
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// Leaves the runtime.
    pub(crate) fn moving(self) -> io::Result<Moving> {
        match self {
            Self::Tcp(stream, address) => Ok(Moving::Tcp(stream.into_std()?, address)),
            Self::Unix(stream) => stream.into_std().map(Moving::Unix),
        }
    }
}

impl Moving {
    /// Joins the runtime that it is called within.
    pub(crate) fn arrived(self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(stream, address) => Ok(Accepted::Tcp(TcpStream::from_std(stream)?, address)),
            Self::Unix(stream) => UnixStream::from_std(stream).map(Accepted::Unix),
        }
    }
}

/// Listens on `IP:port` or `unix:/path`. Must be called within a tokio runtime.
pub fn bind(address: &str) -> Result<Listener, BindError> {
    let refused = |source| BindError::Refused { address: address.to_owned(), source };
    if let Some(path) = address.strip_prefix("unix:") {
        let path = Path::new(path);
        let unix = bind_unix(path).map_err(refused)?;
        return Ok(Listener(Kind::Unix(unix, Some(path.to_owned()))));
    }
    let socket: SocketAddr =
        address.parse().map_err(|_| BindError::NotAnAddress(address.to_owned()))?;
    bind_tcp(socket).map(|tcp| Listener(Kind::Tcp(tcp))).map_err(refused)
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old process's connections to fade.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    if let Err(taken) = socket.bind(&address) {
        if taken.kind() != io::ErrorKind::AddrInUse || !abandoned(&address)? {
            return Err(taken);
        }
        std::fs::remove_file(path)?;
        socket.bind(&address)?;
    }
    // Before anybody can connect. The group of the folder and of the process decide who may, not the umask.
    std::fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
}

/// Whether the file is a socket that a process left behind when it was killed.
fn abandoned(address: &SockAddr) -> io::Result<bool> {
    use std::os::unix::fs::FileTypeExt;
    let Some(path) = address.as_pathname() else {
        return Ok(false);
    };
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return Ok(false);
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    probe.set_nonblocking(true)?;
    let answer = probe.connect(address);
    Ok(answer.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}

impl Listener {
    pub(crate) fn inherited_tcp(tcp: std::net::TcpListener) -> io::Result<Self> {
        TcpListener::from_std(tcp).map(|tcp| Self(Kind::Tcp(tcp)))
    }

    pub(crate) fn inherited_unix(unix: std::os::unix::net::UnixListener) -> io::Result<Self> {
        UnixListener::from_std(unix).map(|unix| Self(Kind::Unix(unix, None)))
    }

    /// The address it listens on; none for a Unix socket.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(tcp) => tcp.local_addr().ok(),
            Kind::Unix(..) => None,
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        match &self.0 {
            Kind::Tcp(tcp) => {
                let (stream, address) = tcp.accept().await?;
                // Answers are single writes; waiting to join them only adds delay.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "no TCP_NODELAY");
                }
                Ok(Accepted::Tcp(stream, address.ip().to_canonical()))
            }
            Kind::Unix(unix, _) => unix.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        match &self.0 {
            Kind::Tcp(_) | Kind::Unix(_, None) => {}
            Kind::Unix(_, Some(path)) => {
                if let Err(error) = std::fs::remove_file(path) {
                    tracing::debug!(%error, path = %path.display(), "socket file is not removed");
                }
            }
        }
    }
}
