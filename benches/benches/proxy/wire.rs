//! Just enough HTTP/1.1 for both ends of the bench: where a message ends.

use crate::Problem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Length of the message that `bytes` begin with, once its head is whole.
fn length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let lines = bytes.get(..head)?.split(|byte| *byte == b'\n');
    let mut announced = lines.filter_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some(head + announced.next().unwrap_or(0))
}

/// Reads one message into `buffer`. `false`: the peer closed before it sent a byte.
pub(crate) async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<bool, Problem> {
    buffer.clear();
    loop {
        match length(buffer) {
            Some(length) if buffer.len() == length => return Ok(true),
            Some(length) if buffer.len() > length => return Err("bytes after a message".into()),
            Some(_) | None => {}
        }
        if stream.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(false) } else { Err("half a message".into()) };
        }
    }
}

/// A kept-alive connection of a caller.
pub(crate) struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    /// Connects.
    pub(crate) async fn open(address: std::net::SocketAddr) -> Result<Self, Problem> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends `request` and takes its answer, which must be a run of the script.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Result<(), Problem> {
        self.stream.write_all(request).await?;
        let answered = read(&mut self.stream, &mut self.buffer).await?;
        let ran = |bytes: &[u8]| bytes.windows(15).any(|part| part == b"job_instance_id");
        if answered && self.buffer.starts_with(b"HTTP/1.1 200 ") && ran(&self.buffer) {
            return Ok(());
        }
        Err(format!("not a run: {}", String::from_utf8_lossy(&self.buffer)).into())
    }
}
