//! The port to the journal: what is written before a call is made, and after.
//!
//! Facts are handed over in clear; the journal alone decides what of them is written in clear, as a
//! keyed hash or not at all.

use std::future::Future;

use esbgate_model::{Code, ComponentCall, Executed, Name, Secret};

use crate::{
    LimitSet, OutcomeClass, ReceivedAt, RiskMatch, authenticate::UserProof, prove_app::AppProof,
    room::Room,
};

/// The journal takes no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("journal takes no records")]
pub struct JournalDown;

/// What is about to happen.
#[derive(Debug)]
pub struct Intent<'a> {
    /// The id of the request.
    pub request_id: &'a str,
    /// When it arrived.
    pub received_at: ReceivedAt,
    /// The caller's address.
    pub peer: Option<std::net::IpAddr>,
    /// The application.
    pub app: &'a Name,
    /// How it was proved.
    pub app_proofs: &'a [AppProof],
    /// The user.
    pub user: &'a Name,
    /// How it was proved.
    pub user_proof: UserProof,
    /// The token behind the user, for a keyed hash.
    pub token: Option<&'a Secret>,
    /// The component.
    pub component: &'static str,
    /// The call.
    pub call: &'a ComponentCall,
    /// Host-runs that were paid.
    pub host_runs: u64,
    /// The generation of policy.
    pub generation: u64,
    /// The grant that allows it.
    pub grant: &'a str,
    /// The credential that the gateway acts as.
    pub acts_as: &'a Name,
    /// The risk rules that the call matches.
    pub risk: &'a [RiskMatch],
    /// The limits that would have refused it, and are in shadow mode.
    pub shadowed: LimitSet,
}

/// What came of it.
#[derive(Debug)]
pub struct OutcomeRecord<'a> {
    /// The id of the request.
    pub request_id: &'a str,
    /// Whether the call was carried out.
    pub executed: Executed,
    /// `success`, `failed`, `unknown` or `unavailable`.
    pub outcome: &'static str,
    /// The gateway's own code, if it answers itself.
    pub code_name: Option<&'static str>,
    /// The HTTP status of the ESB.
    pub upstream_status: Option<u16>,
    /// The ESB's code.
    pub upstream_code: Option<i64>,
    /// The ESB's request id.
    pub upstream_request_id: Option<&'a str>,
    /// JOB's request id.
    pub job_request_id: Option<&'a str>,
    /// The job.
    pub job_instance_id: Option<i64>,
    /// The step.
    pub step_instance_id: Option<i64>,
}

impl<'a> OutcomeRecord<'a> {
    /// What came of a call of which the ESB has said nothing.
    #[must_use]
    pub fn unanswered(
        request_id: &'a str,
        (class, executed): (OutcomeClass, Executed),
        code: Option<Code>,
    ) -> Self {
        Self {
            request_id,
            executed,
            outcome: class.as_str(),
            code_name: code.map(Code::name),
            upstream_status: None,
            upstream_code: None,
            upstream_request_id: None,
            job_request_id: None,
            job_instance_id: None,
            step_instance_id: None,
        }
    }
}

/// A call that was refused. Those of callers whose application was not proved are summed.
#[derive(Debug)]
pub struct RefusalRecord<'a> {
    /// The id of the request.
    pub request_id: &'a str,
    /// When it arrived.
    pub received_at: ReceivedAt,
    /// The caller's address.
    pub peer: Option<std::net::IpAddr>,
    /// The application, if it was proved.
    pub app: Option<&'a Name>,
    /// The user, if it was proved.
    pub user: Option<&'a Name>,
    /// The component, if the path named one.
    pub component: Option<&'static str>,
    /// The code's name.
    pub code_name: &'static str,
    /// The generation of policy that judged.
    pub generation: Option<u64>,
    /// The risk rules that the call matches.
    pub risk: &'a [RiskMatch],
}

/// The promise of the journal that an intent is on record and that its outcome has room.
///
/// Dropped before its call departs, it tells the journal that the call was not made: whatever ends a call
/// there, no intent stays open. Dropped later it tells nothing, because nobody knows.
#[derive(Debug)]
pub struct Ticket {
    sequence: u64,
    room: Option<Room>,
    release: Option<Release>,
}

/// How the journal is told that a call was not made.
struct Release(Box<dyn FnOnce(Room) + Send + Sync>);

impl std::fmt::Debug for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Release")
    }
}

impl Ticket {
    /// A ticket for the intent with this sequence number.
    #[must_use]
    pub fn new(sequence: u64, room: Room) -> Self {
        Self { sequence, room: Some(room), release: None }
    }

    /// With what is done when it is dropped before its call departs; the room is the outcome's. Must not
    /// wait.
    #[must_use]
    pub fn on_release(mut self, release: impl FnOnce(Room) + Send + Sync + 'static) -> Self {
        self.release = Some(Release(Box::new(release)));
        self
    }

    /// A byte of the call may leave from here on.
    pub(crate) fn depart(&mut self) {
        self.release = None;
    }

    /// The sequence number of the intent.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Gives the room up; the journal calls this when the outcome is on record.
    pub fn close(mut self) -> u64 {
        self.release = None;
        self.room = None;
        self.sequence
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let (Some(Release(release)), Some(room)) = (self.release.take(), self.room.take()) {
            release(room);
        }
    }
}

/// The port to durable storage.
pub trait Journal: Send + Sync {
    /// Returns once `intent` is as durable as the journal promises, and room for its outcome is kept.
    fn intend(
        &self,
        intent: &Intent<'_>,
    ) -> impl Future<Output = Result<Ticket, JournalDown>> + Send;

    /// Returns once the outcome is as durable as the journal promises.
    fn settle(
        &self,
        ticket: Ticket,
        outcome: &OutcomeRecord<'_>,
    ) -> impl Future<Output = Result<(), JournalDown>> + Send;

    /// Notes a refusal. Never waits. One of a proved application becomes a record, or is counted as lost
    /// when too many wait; the others are summed per network and code.
    fn refuse(&self, refusal: &RefusalRecord<'_>);
}
