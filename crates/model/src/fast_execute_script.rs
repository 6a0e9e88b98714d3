//! `fast_execute_script`, closed and typed: what policy judges, what the journal records and what is
//! written to the ESB are this one value.
//!
//! The fields and JOB's precedence between them are contract jobv3 §1; only what wins is kept.

mod read;
mod target;
mod write;

use std::net::Ipv4Addr;

use zeroize::Zeroizing;

use crate::{CallbackUrl, Scope, Secret};

/// What the call may use, from the application's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switches {
    /// What happens to names that the call does not have.
    pub unknown_fields: UnknownFields,
    /// The longest `timeout`, in seconds: 86,400 unless policy raises it.
    pub timeout_max: u32,
    /// `rolling_config` may be used.
    pub rolling_config: bool,
    /// `windows_interpreter` may be used.
    pub windows_interpreter: bool,
    /// `target_server.host_id_list` may be used.
    pub host_id_list: bool,
    /// `start_task` may be used.
    pub start_task: bool,
    /// `host_password_list` may be used.
    pub host_password_list: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            unknown_fields: UnknownFields::Refuse,
            timeout_max: 86_400,
            rolling_config: false,
            windows_interpreter: false,
            host_id_list: false,
            start_task: false,
            host_password_list: false,
        }
    }
}

/// What happens to unknown names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownFields {
    /// The call is refused.
    Refuse,
    /// They are left out, and named in the record.
    Drop,
}

/// The language of a script's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScriptLanguage {
    /// 1.
    Shell,
    /// 2.
    Bat,
    /// 3.
    Perl,
    /// 4.
    Python,
    /// 5.
    Powershell,
}

impl ScriptLanguage {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Shell, Self::Bat, Self::Perl, Self::Python, Self::Powershell];

    /// The value of `script_language`.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::Shell => 1,
            Self::Bat => 2,
            Self::Perl => 3,
            Self::Python => 4,
            Self::Powershell => 5,
        }
    }

    /// The name in policy and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Bat => "bat",
            Self::Perl => "perl",
            Self::Python => "python",
            Self::Powershell => "powershell",
        }
    }
}

/// What is run: the winner of version id, script id and content.
#[derive(Debug)]
pub enum Script {
    /// One reviewed version.
    Version(i64),
    /// Whatever version of this script is online.
    Id(Box<str>),
    /// The text in the call.
    Content(Content),
}

/// A script in the call itself.
pub struct Content {
    /// The decoded text.
    pub text: String,
    /// The canonical Base64 that is sent.
    pub base64: Box<str>,
    /// SHA-256 of the decoded text.
    pub sha256: [u8; 32],
    /// Its language.
    pub language: ScriptLanguage,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content")
            .field("bytes", &self.text.len())
            .field("language", &self.language)
            .finish_non_exhaustive()
    }
}

/// The parameters, never shown.
pub struct Param {
    /// The decoded text, without its trailing line end.
    pub text: Zeroizing<String>,
    /// The canonical Base64 that is sent.
    pub base64: Zeroizing<String>,
    /// A trailing line end was taken off.
    pub line_end_stripped: bool,
}

impl std::fmt::Debug for Param {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Param(..)")
    }
}

/// Whom the script runs as on the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// By id.
    Id(i64),
    /// By alias, looked up in the business.
    Alias(Box<str>),
}

/// A host by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host {
    /// `bk_cloud_id`.
    pub cloud: i64,
    /// `ip`.
    pub ip: Ipv4Addr,
}

/// A node of the business's topology, resolved to hosts by CMDB later.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopologyNode {
    /// `id`.
    pub id: i64,
    /// `node_type`.
    pub node_type: Box<str>,
}

/// Where the script runs. At least one list has something in it.
#[derive(Debug, Default)]
pub struct Target {
    /// `host_id_list`; when it has something, `ip_list` counts for nothing and is empty here.
    pub host_ids: Vec<i64>,
    /// `ip_list`.
    pub hosts: Vec<Host>,
    /// The ids of `dynamic_group_list`.
    pub groups: Vec<Box<str>>,
    /// `topo_node_list`.
    pub nodes: Vec<TopologyNode>,
}

impl Target {
    /// Whether something in it is resolved later and cannot be counted here.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        !self.groups.is_empty() || !self.nodes.is_empty()
    }

    /// How many distinct hosts are named.
    #[must_use]
    pub fn named_hosts(&self) -> usize {
        fn distinct<T: Ord + Copy>(list: &[T]) -> usize {
            let mut sorted = list.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            sorted.len()
        }
        distinct(&self.host_ids) + distinct(&self.hosts)
    }
}

/// `rolling_config`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollingConfig {
    /// `type`: 1 by target, 2 by file source.
    pub kind: Option<i64>,
    /// `mode`: 1 pause on failure, 2 ignore, 3 by hand.
    pub mode: Option<i64>,
    /// `expression`.
    pub expression: Option<Box<str>>,
    /// `execution_mode`: 1 serial, 2 parallel.
    pub execution_mode: Option<i64>,
    /// `batch_start_wait_fixed_ms`.
    pub wait_fixed_ms: Option<i64>,
    /// `batch_start_wait_random_min_ms`.
    pub wait_random_min_ms: Option<i64>,
    /// `batch_start_wait_random_max_ms`.
    pub wait_random_max_ms: Option<i64>,
}

/// Which host a password belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordHost {
    /// By id.
    Id(i64),
    /// By address.
    Address(Host),
}

/// An element of `host_password_list`.
#[derive(Debug)]
pub struct HostPassword {
    /// The host.
    pub host: PasswordHost,
    /// `encrypted_password`.
    pub encrypted: Secret,
}

/// A whole call.
#[derive(Debug)]
#[non_exhaustive]
pub struct FastExecuteScript {
    /// The business.
    pub scope: Scope,
    /// The caller named the business by the scope pair alone.
    pub scope_pair: bool,
    /// The script.
    pub script: Script,
    /// Its parameters.
    pub param: Option<Param>,
    /// `is_param_sensitive`, if it was sent.
    pub sensitive: Option<bool>,
    /// `timeout`, in seconds.
    pub timeout: Option<u32>,
    /// The account.
    pub account: Account,
    /// `task_name`.
    pub task_name: Option<Box<str>>,
    /// The target.
    pub target: Target,
    /// `callback_url`.
    pub callback: Option<CallbackUrl>,
    /// `rolling_config`.
    pub rolling: Option<RollingConfig>,
    /// `windows_interpreter`.
    pub windows_interpreter: Option<Box<str>>,
    /// `start_task`.
    pub start_task: Option<bool>,
    /// `host_password_list`.
    pub host_passwords: Vec<HostPassword>,
    /// Fields that were sent and lost against a stronger one; they are not sent on.
    pub losers: Vec<&'static str>,
    /// Paths of unknown names that were left out; at most 100.
    pub dropped: Vec<String>,
}

#[cfg(test)]
mod tests;
