//! The far side: answers every request alike, as the ESB and the login service do, and looks at nothing.

use std::net::SocketAddr;

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

use crate::{Problem, wire};

/// The ESB's answer to a call that JOB started (contract esb: every answer closes its connection).
pub(crate) const RAN: &str = r#"{"result":true,"code":0,"message":"","data":{"job_instance_name":"API Quick execution script1521100521303","job_instance_id":10000,"step_instance_id":10001},"job_request_id":"0123456789abcdef","request_id":"0123456789abcdef0123456789abcdef"}"#;

/// The login service's answer for a token of `admin`.
pub(crate) const KNOWN: &str =
    r#"{"result":true,"code":"00","message":"","data":{"username":"admin"}}"#;

/// Answers with `body` on a port of its own until the process ends.
pub(crate) async fn start(body: &'static str, close: bool) -> Result<SocketAddr, Problem> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let option = if close { "close" } else { "keep-alive" };
    let answer: &'static str = String::leak(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\nConnection: {option}\r\n\r\n{body}",
        body.len()
    ));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A proxy that is ended at the end of the bench breaks its connections off.
            tokio::spawn(async move { drop(answer_all(stream, answer, close).await) });
        }
    });
    Ok(address)
}

async fn answer_all(mut stream: TcpStream, answer: &str, close: bool) -> Result<(), Problem> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    while wire::read(&mut stream, &mut buffer).await? {
        stream.write_all(answer.as_bytes()).await?;
        if close {
            stream.shutdown().await?;
            break;
        }
    }
    Ok(())
}
