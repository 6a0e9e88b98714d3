//! Sockets that the service manager opened before this process began, so that a restart refuses nobody.

use std::{fmt, io};

use listenfd::ListenFd;
use socket2::SockRef;

use crate::listener::{BindError, Listener};

/// The protocol of `sd_listen_fds(3)`: names of the sockets, with colons between them.
const NAMES: &str = "LISTEN_FDNAMES";

/// The sockets that were passed to this process, by name.
pub struct Inherited {
    sockets: ListenFd,
    names: Vec<String>,
}

impl Inherited {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self { sockets: ListenFd::empty(), names: Vec::new() }
    }

    /// What was passed to this process, if anything. The variables that say so are taken out of the
    /// environment; call this before there is a second thread that could read it.
    #[must_use]
    pub fn from_env() -> Self {
        let said = std::env::var(NAMES).unwrap_or_default();
        let sockets = ListenFd::from_env();
        let mut names: Vec<String> = said.split(':').map(str::to_owned).collect();
        names.resize(sockets.len(), String::new());
        Self { sockets, names }
    }

    /// Listens on the one socket of this name. Must be called within a tokio runtime.
    pub fn take(&mut self, name: &str) -> Result<Listener, BindError> {
        let mut found = self.names.iter().enumerate().filter(|(_, known)| *known == name);
        let index = match (found.next(), found.next()) {
            (Some((index, _)), None) => index,
            (None, _) => return Err(BindError::NotPassed(name.to_owned())),
            (Some(_), Some(_)) => return Err(BindError::PassedTwice(name.to_owned())),
        };
        let listener = self.listener(index);
        listener.map_err(|source| BindError::Refused { address: format!("systemd:{name}"), source })
    }

    fn listener(&mut self, index: usize) -> io::Result<Listener> {
        let taken = || io::Error::new(io::ErrorKind::NotFound, "it is taken already");
        // A socket of the other family is left where it is.
        match self.sockets.take_tcp_listener(index) {
            Ok(tcp) => {
                let tcp = tcp.ok_or_else(taken)?;
                listens(&SockRef::from(&tcp))?;
                tcp.set_nonblocking(true)?;
                Listener::inherited_tcp(tcp)
            }
            Err(_) => {
                let unix = self.sockets.take_unix_listener(index)?.ok_or_else(taken)?;
                listens(&SockRef::from(&unix))?;
                unix.set_nonblocking(true)?;
                Listener::inherited_unix(unix)
            }
        }
    }
}

/// A connection (`Accept=yes`) is no listener, and would be taken for one for ever.
fn listens(socket: &SockRef<'_>) -> io::Result<()> {
    if socket.is_listener()? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket does not listen: use Accept=no"))
}

impl fmt::Debug for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inherited").field("names", &self.names).finish_non_exhaustive()
    }
}
