//! JOB behind the ESB: takes what the ESB hands over, judges it in JOB's own order, and keeps jobs.

pub(crate) mod catalog;
mod checks;
mod codec;
mod coerce;
mod fast_execute;
mod instances;
mod refusal;
mod request;
mod rolling;
mod scope;
mod stored;
mod validate;

pub(crate) use refusal::JobRefusal;

use serde_json::{Map, Value};

use crate::history::{History, Identity};
use crate::world::World;

/// Whether JOB does what it is asked, or only answers as if.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Run,
    Nothing,
}

/// One call as the ESB hands it over.
pub(crate) struct Call<'a> {
    pub(crate) component: &'a str,
    pub(crate) body: &'a Map<String, Value>,
    /// Whether the text that the ESB writes is JSON to Jackson too.
    pub(crate) readable: bool,
    pub(crate) identity: &'a Identity,
    pub(crate) english: bool,
    pub(crate) request_id: &'a str,
    pub(crate) world: &'a World,
    pub(crate) effect: Effect,
}

/// JOB's answer before the ESB fills its gaps.
#[derive(Debug)]
pub(crate) enum Reply {
    /// `data` as JSON text.
    Done(Vec<u8>),
    Refused(Said),
}

/// A refusal in the caller's language.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) permission: Option<Value>,
}

impl Reply {
    pub(crate) fn code(&self) -> i64 {
        match self {
            Self::Done(_) => 0,
            Self::Refused(said) => said.code,
        }
    }
}

/// One job that JOB has made.
#[derive(Debug, Clone)]
pub struct Job {
    /// `job_instance_id`.
    pub job_instance_id: i64,
    /// `step_instance_id`.
    pub step_instance_id: i64,
    /// `job_instance_name`.
    pub name: String,
    /// The application that JOB was told.
    pub app: String,
    /// The user that JOB was told.
    pub user: String,
    /// The business, or the set if `business_is_set`.
    pub business: i64,
    /// Whether `business` is a set.
    pub business_is_set: bool,
    /// Which of the three sources won.
    pub source: ScriptSource,
    /// The script as it runs.
    pub script: String,
    /// Its language, 1 to 6.
    pub language: i64,
    /// The parameters as they are handed to it; none if they were blank.
    pub params: Option<String>,
    /// Whether they are sensitive.
    pub is_param_sensitive: bool,
    /// The account it runs as.
    pub account_id: i64,
    /// The same account's alias.
    pub account_alias: String,
    /// Where it runs.
    pub targets: Targets,
    /// Seconds.
    pub timeout: i64,
    /// Where its end is told.
    pub callback_url: Option<String>,
    /// Whether it has been started.
    pub started: bool,
    /// JOB's status: 1 pending until started.
    pub status: i64,
    /// When it was made, in milliseconds since 1970.
    pub create_time: i64,
    /// When it was started.
    pub start_time: Option<i64>,
    /// The ESB's id of the request that made it.
    pub request_id: String,
}

/// Where a script comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptSource {
    /// `script_version_id`.
    Version(i64),
    /// `script_id`.
    Script(String),
    /// `script_content`.
    Content,
}

/// Where a script runs: `ips` are ignored by JOB when there are `host_ids`, and are then empty here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// `ip_list`, as cloud and address.
    pub ips: Vec<(i64, String)>,
    /// `host_id_list`.
    pub host_ids: Vec<i64>,
    /// `dynamic_group_list`.
    pub groups: Vec<String>,
    /// `topo_node_list`, as id and type.
    pub nodes: Vec<(i64, String)>,
}

/// Does what a call asks for.
pub(crate) fn call(call: &Call<'_>, history: &History, first_id: i64) -> Reply {
    let done = match call.component {
        "fast_execute_script" => fast_execute::run(call, history, first_id),
        "operate_job_instance" => instances::operate(call, history, first_id),
        "get_job_instance_status" => instances::status(call, history, first_id),
        "get_job_instance_list" => instances::list(call, history),
        "callback_protocol" => Err(JobRefusal::unsupported()),
        _ => stored::answer(call),
    };
    done.map_or_else(|refusal| Reply::Refused(refusal.say(call.english)), Reply::Done)
}
