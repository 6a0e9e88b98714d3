//! Calls to fill a journal with.

use esbgate_model::sha256_hex;
use serde_json::{Value, json};

/// What differs from call to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The request's id.
    pub request_id: String,
    /// The application.
    pub app: String,
    /// The user.
    pub user: String,
    /// The business.
    pub business: i64,
    /// Each as `cloud:ip`.
    pub hosts: Vec<String>,
    /// Host ids.
    pub host_ids: Vec<i64>,
    /// Dynamic groups.
    pub groups: usize,
    /// The text whose hash is recorded.
    pub script: String,
    /// `success`, `failed`, `unknown` or `unavailable`.
    pub outcome: &'static str,
    /// JOB's number.
    pub job: Option<i64>,
}

impl Sample {
    /// The `n`th of a series that is the same each time.
    #[must_use]
    pub fn of(n: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(n);
        let hosts = (0..random.usize(1..6)).map(|_| {
            let (b, c, d) = (random.u8(0..4), random.u8(..), random.u8(1..));
            format!("0:10.{b}.{c}.{d}")
        });
        Self {
            hosts: hosts.collect(),
            request_id: format!("{:032x}", u128::from(n)),
            app: format!("app{}", random.u32(0..40)),
            user: format!("user{}", random.u32(0..200)),
            business: random.i64(1..30),
            host_ids: Vec::new(),
            groups: 0,
            script: format!("echo {}", random.u32(0..1000)),
            outcome: ["success", "success", "success", "failed", "unknown"]
                .get(random.usize(0..5))
                .copied()
                .unwrap_or("success"),
            job: i64::try_from(n).ok().map(|n| n + 20_000_000_000),
        }
    }
}

/// The members of the intent.
#[must_use]
pub fn intent(sample: &Sample) -> Value {
    let keyed =
        json!({"hmac": sha256_hex(sample.request_id.as_bytes()), "key_id": "k1", "bytes": 32});
    json!({
        "request_id": sample.request_id, "received_at": "2027-01-01T00:00:00Z", "peer": "192.0.2.7",
        "app": sample.app, "app_proofs": ["key"], "user": sample.user, "user_proof": "bk_token",
        "token": keyed, "acts_as": "ops_gateway", "component": "fast_execute_script",
        "scope_type": "biz", "scope_id": sample.business, "account": {"alias": "root"},
        "script": {"source": "content", "sha256": sha256_hex(sample.script.as_bytes()),
            "bytes": sample.script.len(), "language": "shell"},
        "script_param": null, "sensitive": null, "timeout": 1000, "task_name": "restart",
        "target": {"host_ids": sample.host_ids.len(), "hosts": sample.hosts.len(), "groups": sample.groups,
            "nodes": 0, "host_id_list": texts(&sample.host_ids), "ip_list": list(&sample.hosts)},
        "callback": null, "rolling": false, "windows_interpreter": null, "start_task": null,
        "host_passwords": null, "losers": [], "dropped": [],
        "host_runs": sample.hosts.len() + sample.host_ids.len(), "generation": 3,
        "grant": "restart the web tier", "risk": [], "shadowed": [],
    })
}

fn texts(ids: &[i64]) -> Value {
    ids.iter().map(i64::to_string).collect()
}

/// A list that is too long stands as its hash, as the writer has it.
fn list(hosts: &[String]) -> Value {
    if hosts.len() > 1000 {
        return json!({"sha256": sha256_hex(hosts.join("\n").as_bytes())});
    }
    json!(hosts)
}

/// The members of its outcome.
#[must_use]
pub fn outcome(intent: u64, sample: &Sample) -> Value {
    let executed = match sample.outcome {
        "success" => "yes",
        "unavailable" => "no",
        _ => "unknown",
    };
    json!({
        "intent": intent, "request_id": sample.request_id, "executed": executed,
        "outcome": sample.outcome, "code_name": null, "upstream_status": 200, "upstream_code": 0,
        "upstream_request_id": null, "job_request_id": null, "job_instance_id": sample.job,
        "step_instance_id": sample.job.map(|job| job + 1),
    })
}
