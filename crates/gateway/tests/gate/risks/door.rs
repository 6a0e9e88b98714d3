//! A gateway, and the way past it.

use serde_json::{Value, json};

use crate::support::*;

pub const AUTHORIZATION: &str = "X-Bkapi-Authorization";
/// What runs when all is well.
pub const MINE: &str = "ops_gateway for svc_deploy";

/// A gateway, and the ESB behind it when nobody stands before it.
pub struct Door {
    pub gate: Gate,
    pub looked: usize,
}

impl Door {
    pub async fn open() -> Self {
        Self::with(Files::default()).await
    }

    pub async fn with(files: Files) -> Self {
        Self { gate: Gate::with(files).await, looked: 0 }
    }

    /// What ran since the last look, and as whom.
    pub fn ran(&mut self) -> Vec<String> {
        let runs = self.gate.standin.history().runs();
        let new = runs.iter().skip(std::mem::replace(&mut self.looked, runs.len()));
        new.map(|job| format!("{} for {}", job.app, job.user)).collect()
    }

    /// What runs when the ESB itself is asked.
    pub async fn esb(&mut self, request: &[u8]) -> Vec<String> {
        exchange(self.gate.standin.esb_addr(), request).await;
        self.ran()
    }

    /// What the gateway answers, and what ran.
    pub async fn gate(&mut self, request: &[u8]) -> (Answer, Vec<String>) {
        let answer = Answer::read(&self.gate.raw(request).await);
        (answer, self.ran())
    }

    /// The gateway refuses, and the ESB hears nothing of it.
    pub async fn refused(&mut self, request: &[u8], status: u16, code: &str) {
        let before = self.gate.standin.history().connection_count();
        let (answer, ran) = self.gate(request).await;
        answer.is(status, code, "no");
        assert!(ran.is_empty(), "{ran:?}");
        assert_eq!(self.gate.standin.history().connection_count(), before);
    }

    /// The head and the body that the ESB got last.
    pub fn last(&self) -> (String, Value) {
        let requests = self.gate.standin.history().requests();
        let last = requests.last().unwrap();
        let head = String::from_utf8(last.head().to_vec()).unwrap().to_ascii_lowercase();
        (head, serde_json::from_slice(last.body()).unwrap_or_default())
    }
}

pub fn request(line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

pub fn bytes(headers: &[(&str, &str)], body: &Value) -> Vec<u8> {
    post(headers, &body.to_string()).into_bytes()
}

/// An identity that the ESB believes, whoever it names.
pub fn boss(user: &str) -> Value {
    json!({"bk_app_code": "ops_gateway", "bk_app_secret": ESB_SECRET, "bk_username": user})
}

/// The caller's own identity.
pub fn mine() -> Value {
    serde_json::from_str(&authorization("bk_username", "svc_deploy")).unwrap()
}

pub fn change(mut object: Value, change: Value) -> Value {
    for (name, value) in change.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

pub fn with_identity(identity: Value) -> Value {
    change(call(), identity)
}
