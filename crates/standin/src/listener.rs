//! A listening socket that can be closed and opened again without losing its port.
//!
//! A second socket stays bound to the port and never listens: while the first is closed, connections are refused
//! and nobody else is given the port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use crate::connection::{Site, serve};
use crate::fault::Listening;

const BACKLOG: u32 = 1024;

/// A port that is held, and the socket that listens on it.
#[derive(Debug)]
pub(crate) struct Port {
    address: SocketAddr,
    _holder: TcpSocket,
    listener: Option<TcpListener>,
}

impl Port {
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let holder = bound(address)?;
        let address = holder.local_addr()?;
        let listener = Some(listen(address)?);
        Ok(Self { address, _holder: holder, listener })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for ever while the socket is closed.
    async fn accept(&self) -> io::Result<TcpStream> {
        match &self.listener {
            Some(listener) => listener.accept().await.map(|(stream, _)| stream),
            None => std::future::pending().await,
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    bound(address)?.listen(BACKLOG)
}

/// Accepts until dropped; its connections end with it.
pub(crate) async fn run(
    mut port: Port,
    site: Arc<Site>,
    mut commands: UnboundedReceiver<Listening>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = port.accept() => match accepted {
                Ok(stream) => {
                    connections.spawn(serve(stream, Arc::clone(&site)));
                }
                // Out of descriptors, or the peer left while in the queue: the next may do better.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(command) = commands.recv() => obey(&mut port, command),
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

fn obey(port: &mut Port, command: Listening) {
    let done = match command {
        Listening::Down(done) => {
            port.listener = None;
            done
        }
        Listening::Up(done) => {
            if port.listener.is_none() {
                port.listener = listen(port.address).ok();
            }
            done
        }
    };
    // Who asked may have stopped waiting.
    let _asked = done.send(());
}
