//! Eight clients that call as fast as they are answered, each call under a name of its own.

use std::net::SocketAddr;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use crate::support::{Answer, PATIENCE, authorization, call_with, post};

const CLIENTS: u64 = 8;

/// A call and what its client knows of it.
pub struct Called {
    /// Its `task_name`, which stand-in and journal have too.
    pub name: String,
    /// The whole answer; none where the gateway was killed before.
    pub answer: Option<Answer>,
}

pub struct Clients(JoinSet<Vec<Called>>);

impl Clients {
    pub fn start(to: SocketAddr, run: u64) -> Self {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(calls(to, format!("run {run} client {client}")));
        }
        Self(clients)
    }

    /// What they know once the gateway is gone.
    pub async fn ended(self) -> Vec<Called> {
        let all = timeout(PATIENCE, self.0.join_all()).await.unwrap();
        all.into_iter().flatten().collect()
    }
}

async fn calls(to: SocketAddr, who: String) -> Vec<Called> {
    let header = authorization("bk_username", "svc_deploy");
    let mut all = Vec::new();
    loop {
        let name = format!("{who} call {}", all.len());
        let body = call_with(json!({"task_name": name})).to_string();
        let request = post(&[("X-Bkapi-Authorization", &header)], &body);
        let Ok(mut stream) = TcpStream::connect(to).await else { return all };
        let mut text = Vec::new();
        let exchanged = async {
            stream.write_all(request.as_bytes()).await?;
            stream.read_to_end(&mut text).await
        };
        // An error says no more than that the gateway is gone; what was read before it counts.
        let gone = exchanged.await.is_err();
        let answer = whole(&String::from_utf8(text).unwrap());
        let lost = gone || answer.is_none();
        all.push(Called { name, answer });
        if lost {
            return all;
        }
    }
}

/// The answer, if all of it has come.
fn whole(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.to_ascii_lowercase();
    let (_, length) = length.split_once("content-length: ")?;
    let length: usize = length.lines().next()?.parse().unwrap();
    (body.len() >= length).then(|| Answer::read(text))
}
