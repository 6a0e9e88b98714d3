//! Three hundred calls a second, whatever becomes of those before.

use std::{net::SocketAddr, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    now,
    support::{Answer, authorization, call_with, post},
};

const EACH: Duration = Duration::from_micros(1_000_000 / 300);
const PATIENCE: Duration = Duration::from_secs(30);

/// A call and what came of it.
pub struct Called {
    pub business: u64,
    pub began: Timestamp,
    pub ended: Timestamp,
    pub took: Duration,
    pub came: Came,
}

pub enum Came {
    Allowed,
    Refused,
    /// Anything else: a call that was dropped, or an answer that no policy gives.
    Lost(String),
}

/// Calls until it is over, in two businesses by turns.
pub async fn calls(to: SocketAddr, over: CancellationToken) -> Vec<Called> {
    let header = authorization("bk_username", "svc_deploy");
    let requests = [1, 2].map(|business| {
        let body = call_with(json!({"bk_biz_id": business})).to_string();
        (business, post(&[("X-Bkapi-Authorization", &header)], &body))
    });
    let mut tick = interval(EACH);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut calls = JoinSet::new();
    for (business, request) in requests.into_iter().cycle() {
        tokio::select! {
            () = over.cancelled() => break,
            _ = tick.tick() => {}
        }
        calls.spawn(async move {
            let (began, at) = (now(), Instant::now());
            let came = timeout(PATIENCE, once(to, &request)).await;
            let came = came.unwrap_or_else(|_| Came::Lost("no answer".into()));
            Called { business, began, ended: now(), took: at.elapsed(), came }
        });
    }
    calls.join_all().await
}

async fn once(to: SocketAddr, request: &str) -> Came {
    let exchanged = async {
        let mut stream = TcpStream::connect(to).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        std::io::Result::Ok(text)
    };
    let text = match exchanged.await {
        Ok(text) if text.contains("\r\n\r\n") => text,
        Ok(text) => return Came::Lost(format!("half an answer: {text:?}")),
        Err(error) => return Came::Lost(error.to_string()),
    };
    let answer = Answer::read(&text);
    match (answer.status, answer.code(), answer.body["executed"].as_str()) {
        (200, _, Some("yes")) => Came::Allowed,
        (403, "BUSINESS_NOT_ALLOWED", Some("no")) => Came::Refused,
        _ => Came::Lost(answer.body.to_string()),
    }
}
