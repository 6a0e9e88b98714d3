//! Where a next policy would decide otherwise, as the journal has it.

use esbgate_model::Name;
use jiff::Timestamp;

use crate::ShadowResult;

/// What a policy says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided<'a> {
    /// The code's name, if it refuses the call.
    pub code_name: Option<&'static str>,
    /// The rule, if one allows the call.
    pub grant: Option<&'a str>,
}

/// One of the calls that a next policy would decide otherwise in the same way.
#[derive(Debug)]
pub struct ShadowRecord<'a> {
    /// The id of the request.
    pub request_id: &'a str,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The application, if either policy knows it.
    pub app: Option<&'a Name>,
    /// The user, if it was proved.
    pub user: Option<&'a Name>,
    /// The component.
    pub component: Option<&'static str>,
    /// How the next policy would decide.
    pub result: ShadowResult,
    /// What the policy in force says.
    pub now: Decided<'a>,
    /// What the next policy would say.
    pub next: Decided<'a>,
    /// The generation of the policy in force.
    pub generation: Option<u64>,
    /// SHA-256 of the next policy.
    pub next_sha256: &'a str,
    /// How many differences the record stands for, its own included.
    pub count: u64,
}
