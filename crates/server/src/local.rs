//! A socket file for those who are on this machine, whom the system names.

use std::io;

use tokio::net::UnixStream;

use crate::listener::{Accepted, BindError, Listener, bind};

/// Who is at the other end, as the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalPeer {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The process, where the system tells.
    pub pid: Option<i32>,
}

/// Listens on a socket file of mode 0660. Dropping it removes the file.
#[derive(Debug)]
pub struct LocalListener(Listener);

impl LocalListener {
    /// Listens on the file at `path`; one that a killed process left behind is replaced, one that somebody listens on
    /// is not. Must be called within a tokio runtime.
    pub fn bind(path: &str) -> Result<Self, BindError> {
        bind(&format!("unix:{path}")).map(Self)
    }

    /// The next connection, and who made it.
    pub async fn accept(&self) -> io::Result<(UnixStream, LocalPeer)> {
        match self.0.accept().await? {
            Accepted::Unix(stream) => {
                let said = stream.peer_cred()?;
                Ok((stream, LocalPeer { uid: said.uid(), gid: said.gid(), pid: said.pid() }))
            }
            Accepted::Tcp(..) => Err(io::Error::from(io::ErrorKind::InvalidInput)),
        }
    }
}
