//! Syslog over TCP, TLS and a Unix datagram socket.
//!
//! TCP tells who writes only that its own system has the bytes. [`Confirm::Close`] makes a confirmation of what TCP
//! has: the peer closes its side after it has read ours to the end.

use std::{io, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixDatagram},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::either::Either;

use crate::{
    batch::Record,
    options::{Confirm, SyslogAddress, SyslogOptions, TlsPeer},
    syslog_frame::{message, stub},
    target::{DeliverError, Delivered},
};

/// A receiver of syslog.
#[derive(Debug)]
pub(crate) struct Syslog {
    options: SyslogOptions,
    /// The connection that stands, where it is kept.
    open: Option<Stream>,
}

impl Syslog {
    pub(crate) fn new(options: SyslogOptions) -> Self {
        Self { options, open: None }
    }

    pub(crate) fn reset(&mut self) {
        self.open = None;
    }

    pub(crate) async fn send(&mut self, records: &[Record]) -> Result<Delivered, DeliverError> {
        match &self.options.address {
            SyslogAddress::Unix(path) => {
                let socket = UnixDatagram::unbound().map_err(DeliverError::Syslog)?;
                socket.connect(path).map_err(DeliverError::Syslog)?;
                self.datagrams(&socket, records).await
            }
            SyslogAddress::Tcp { .. } => self.frames(records).await,
        }
    }

    async fn datagrams(
        &self,
        socket: &UnixDatagram,
        records: &[Record],
    ) -> Result<Delivered, DeliverError> {
        let mut delivered = Delivered::default();
        for record in records {
            let mut text = message(record, &self.options);
            if text.len() > self.options.datagram {
                text = stub(record, &self.options);
                delivered.shortened += 1;
            }
            // Waits while the receiver's queue is full: that is the back-pressure.
            socket.send(text.as_bytes()).await.map_err(DeliverError::Syslog)?;
        }
        Ok(delivered)
    }

    async fn frames(&mut self, records: &[Record]) -> Result<Delivered, DeliverError> {
        let mut text = String::new();
        for record in records {
            let message = message(record, &self.options);
            text.push_str(&message.len().to_string());
            text.push(' ');
            text.push_str(&message);
        }
        let mut kept = None;
        if let Some(mut stream) = self.open.take() {
            kept = stands(&mut stream).await.then_some(stream);
        }
        let mut stream = match kept {
            Some(stream) => stream,
            None => connect(&self.options.address).await.map_err(DeliverError::Syslog)?,
        };
        stream.write_all(text.as_bytes()).await.map_err(DeliverError::Syslog)?;
        stream.flush().await.map_err(DeliverError::Syslog)?;
        match self.options.confirm {
            Confirm::Close => close(stream).await.map_err(DeliverError::Unconfirmed)?,
            Confirm::Sent if stands(&mut stream).await => self.open = Some(stream),
            Confirm::Sent => {
                return Err(DeliverError::Unconfirmed(io::ErrorKind::ConnectionAborted.into()));
            }
        }
        Ok(Delivered::default())
    }
}

/// A connection, in clear or not.
type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

async fn connect(address: &SyslogAddress) -> io::Result<Stream> {
    let SyslogAddress::Tcp { host, port, tls } = address else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let stream = TcpStream::connect((&**host, *port)).await?;
    let Some(TlsPeer(config)) = tls else { return Ok(Either::Left(stream)) };
    let name = ServerName::try_from(host.to_string())
        .map_err(|fault| io::Error::new(io::ErrorKind::InvalidInput, fault))?;
    let stream = TlsConnector::from(config.clone()).connect(name, stream).await?;
    Ok(Either::Right(Box::new(stream)))
}

/// Whether the peer has neither closed nor reset it. What it says is of no meaning here.
async fn stands(stream: &mut Stream) -> bool {
    let mut ignored = [0; 256];
    loop {
        match timeout(Duration::ZERO, stream.read(&mut ignored)).await {
            Err(_) => return true,
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) => return false,
        }
    }
}

/// Ends our side and waits until the peer has ended its own, which it does once it has read to our end.
async fn close(mut stream: Stream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut ignored = [0; 256];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
