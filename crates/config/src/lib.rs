//! Text to policy: specs, checks with places, and the one way into a compiled policy.
//!
//! No I/O: files and variables come through [`Lookup`], time is a value.

mod app_check;
mod body;
mod boot;
mod boot_check;
mod boot_spec;
mod budget_check;
mod business_check;
mod call;
mod ceiling_check;
mod constraint;
mod diff;
mod distinct;
mod ends;
mod explain;
#[cfg(test)]
mod form;
mod freeze_check;
mod grant_check;
mod hours_check;
mod issuer_check;
mod listen_check;
mod lookup;
mod merged;
mod node;
mod picture;

mod plan;
mod policy_document;
mod policy_spec;
mod policy_test;
mod problem;
mod reach_check;
mod replay;
mod reserved;
mod risk_check;
mod schemas;
mod shape;
mod sink;
mod sink_check;
mod sink_spec;
mod switch_check;
mod term;
mod test_check;
mod test_document;
mod texts;
mod units;
mod yaml;

pub use self::{
    boot::{
        Boot, BootDocument, JournalOptions, Limits, ListenAddress, ListenTls, Listener,
        LoginOptions,
    },
    boot_spec::{Durability, JournalMode},
    call::{Call, Proof},
    diff::{Change, Effect},
    ends::{ExemptUser, ExemptionEnd, KeyEnd},
    explain::{Explanation, RuleVerdict, Step},
    lookup::Lookup,
    plan::{OfflinePlan, Plan},
    policy_document::{Grounds, PolicyDocument},
    policy_test::{Expect, ExpectedVerdict, Miss, PolicyTest, TestResult},
    problem::{Problem, Warning},
    replay::{Replay, Replayed, ReplayedRefusal, RiskChange},
    schemas::{BOOT_SCHEMA, POLICY_SCHEMA, TESTS_SCHEMA},
    sink::{PeerTls, Sink, SinkAddress, SinkFile, SinkPostgres, SinkSyslog, SinkTarget},
    sink_check::check_table,
    texts::PolicyText,
};

#[cfg(test)]
mod tests;
