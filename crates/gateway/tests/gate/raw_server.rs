//! A server that says what a test tells it to, byte for byte, and counts what it is asked.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

/// What each connection meets once its request is read, unless a variant says otherwise.
#[derive(Debug, Clone)]
pub enum Play {
    /// These bytes, then the end of the connection (FIN).
    End(Vec<u8>),
    /// These bytes, then nothing, until the peer leaves.
    Stay(Vec<u8>),
    /// These bytes, then a reset.
    Reset(Vec<u8>),
    /// The first bytes, then the others again and again until the peer leaves.
    Endless(Vec<u8>, Vec<u8>),
    /// Each of these in a write of its own, then the end.
    Parts(Vec<Vec<u8>>),
    /// These bytes before anything is read; then everything is read until the peer leaves.
    Early(Vec<u8>),
}

/// The server. Ends when it is dropped.
pub struct RawServer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    written: Arc<AtomicU64>,
    ended: mpsc::UnboundedReceiver<Vec<u8>>,
    task: JoinHandle<()>,
}

impl RawServer {
    pub async fn start(play: Play) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let written = Arc::new(AtomicU64::new(0));
        let (ends, ended) = mpsc::unbounded_channel();
        let (accepted, count) = (Arc::clone(&connections), Arc::clone(&written));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                accepted.fetch_add(1, Ordering::SeqCst);
                let (play, count, ends) = (play.clone(), Arc::clone(&count), ends.clone());
                tokio::spawn(async move {
                    let seen = Connection { stream, count }.play(play).await;
                    // A test that has seen enough has gone.
                    drop(ends.send(seen));
                });
            }
        });
        Self { address, connections, written, ended, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// All that the next connection to end had sent.
    pub async fn ended(&mut self) -> Vec<u8> {
        self.ended.recv().await.unwrap()
    }

    /// How many bytes its peers have taken, or their sockets hold.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Connection {
    stream: TcpStream,
    count: Arc<AtomicU64>,
}

impl Connection {
    /// Plays to the end; returns all that was read.
    async fn play(mut self, play: Play) -> Vec<u8> {
        let mut seen = Vec::new();
        if let Play::Early(bytes) = &play {
            self.write(bytes).await;
            self.read_to_end(&mut seen).await;
            return seen;
        }
        self.read_request(&mut seen).await;
        match play {
            Play::End(bytes) | Play::Early(bytes) => {
                self.write(&bytes).await;
            }
            Play::Stay(bytes) => {
                self.write(&bytes).await;
                self.read_to_end(&mut seen).await;
            }
            Play::Reset(bytes) => {
                self.write(&bytes).await;
                self.stream.set_zero_linger().unwrap();
            }
            Play::Endless(first, again) => {
                let mut more = self.write(&first).await;
                while more {
                    more = self.write(&again).await;
                }
            }
            Play::Parts(parts) => {
                for part in parts {
                    self.write(&part).await;
                }
            }
        }
        seen
    }

    /// Writes, unless the peer has left.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        let written = self.stream.write_all(bytes).await.is_ok();
        if written {
            self.count.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        }
        written
    }

    async fn read_request(&mut self, seen: &mut Vec<u8>) {
        while !is_whole(seen) && self.stream.read_buf(seen).await.is_ok_and(|read| read > 0) {}
    }

    /// A peer that resets has left as well.
    async fn read_to_end(&mut self, seen: &mut Vec<u8>) {
        while self.stream.read_buf(seen).await.is_ok_and(|read| read > 0) {}
    }
}

/// Whether the bytes are one whole request.
pub fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// Kernel buffers on both sides hold some of what is written after the gateway has stopped reading.
pub const SOME: u64 = 64 * 1024 * 1024;

/// The head of an answer with these fields.
pub fn head(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n")
}

/// A well-framed answer.
pub fn sized(fields: &str, body: &[u8]) -> Vec<u8> {
    let head = head(&format!("{fields}Content-Length: {}\r\nConnection: close\r\n", body.len()));
    [head.as_bytes(), body].concat()
}

/// One chunk.
pub fn chunk(part: &str) -> String {
    format!("{:x}\r\n{part}\r\n", part.len())
}

/// These bytes, then the end.
pub fn end(text: impl Into<Vec<u8>>) -> Play {
    Play::End(text.into())
}
