//! Bytes to a socket and an answer back, without an HTTP client in between.

use std::net::SocketAddr;
use std::time::Duration;

use esbgate_standin::{App, Standin, World};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Far longer than anything here takes: reached only when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const RUN: &str = "/api/c/compapi/v2/jobv3/fast_execute_script/";
pub(crate) const OPERATE: &str = "/api/c/compapi/v2/jobv3/operate_job_instance/";

/// An answer, read until the peer ended the connection.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut slots);
        let head = parsed.parse(bytes).unwrap().unwrap();
        let status = parsed.code.unwrap();
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        Self { status, head: text, body: bytes[head..].to_vec() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON in {self:?}"))
    }

    pub(crate) fn code(&self) -> Option<i64> {
        self.json()["code"].as_i64()
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(each, _)| each.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

pub(crate) async fn bounded<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("nothing came")
}

/// Sends and reads whatever comes until the end; a reset counts as an end.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_to_end(&mut stream).await
}

pub(crate) async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    drop(bounded(stream.read_to_end(&mut answer)).await);
    answer
}

pub(crate) async fn send(address: SocketAddr, bytes: &[u8]) -> Reply {
    Reply::of(&raw(address, bytes).await)
}

/// A request with Host and Content-Length and these further header lines.
pub(crate) fn request(method: &str, target: &str, lines: &[&str], body: &[u8]) -> Vec<u8> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: esb\r\nContent-Length: {length}\r\n{lines}\r\n"
    );
    [head.as_bytes(), body].concat()
}

pub(crate) fn post(target: &str, body: &Value) -> Vec<u8> {
    request("POST", target, &["Content-Type: application/json"], body.to_string().as_bytes())
}

pub(crate) async fn call(standin: &Standin, target: &str, body: &Value) -> Reply {
    send(standin.esb_addr(), &post(target, body)).await
}

pub(crate) async fn run(standin: &Standin, body: &Value) -> Reply {
    call(standin, RUN, body).await
}

/// The sample call of the document.
pub(crate) fn sample() -> Value {
    json!({
        "bk_app_code": "esb_test",
        "bk_app_secret": "xxx",
        "bk_token": "xxx",
        "bk_biz_id": 1,
        "script_version_id": 1,
        "script_content": "ZWNobyAkMQ==",
        "script_param": "aGVsbG8=",
        "timeout": 1000,
        "account_id": 1000,
        "is_param_sensitive": 0,
        "script_language": 1,
        "target_server": {
            "dynamic_group_list": [{"id": "blo8gojho0skft7pr5q0"}, {"id": "blo8gojho0sof7pr5q1g"}],
            "ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}, {"bk_cloud_id": 0, "ip": "10.0.0.2"}],
            "topo_node_list": [{"id": 1000, "node_type": "module"}]
        }
    })
}

/// The sample with some members changed; null takes one out.
pub(crate) fn sample_with(changes: Value) -> Value {
    let mut body = sample();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

pub(crate) async fn standin() -> Standin {
    Standin::start(World::default()).await.unwrap()
}

/// A world with an application that may name any user, beside the sample's.
pub(crate) fn trusted() -> World {
    World::default().app(App::new("gateway_app", "gateway-secret").skipping_user_auth())
}
