//! How often two policies differed, and on which calls.

use std::{
    collections::HashMap,
    sync::{
        PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use esbgate_core::{ShadowResult, Trace};
use esbgate_model::{Code, Name};
use jiff::Timestamp;

/// Most kinds of differences that are told apart.
const ROWS: usize = 1000;

#[expect(clippy::disallowed_types, reason = "off the request path; held for one update")]
type Lock<T> = std::sync::Mutex<T>;

/// One kind of difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// How the next policy would decide.
    pub result: ShadowResult,
    /// The application, if the policy in force knows it.
    pub app: Option<Name>,
    /// The component.
    pub component: Option<&'static str>,
    /// The code of the refusal by the policy in force; none if it allows the call.
    pub now: Option<&'static str>,
    /// The code of the refusal by the next policy; none if it would allow the call.
    pub next: Option<&'static str>,
    /// How many calls.
    pub count: u64,
    /// When the last of them came.
    pub last_at: Timestamp,
    /// Its id.
    pub last_request_id: Box<str>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Kind {
    app: Option<Name>,
    component: Option<&'static str>,
    now: Option<Code>,
    next: Option<Code>,
}

/// Counts since a next policy was loaded.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: [AtomicU64; 5],
    untold: AtomicU64,
    rows: Lock<HashMap<Kind, Difference>>,
}

impl Tally {
    pub(super) fn count(&self, result: ShadowResult) {
        let counts = ShadowResult::ALL.iter().zip(&self.counts);
        for (_, count) in counts.filter(|(known, _)| **known == result) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn differ(
        &self,
        live: &Trace,
        result: ShadowResult,
        now: Option<Code>,
        next: Option<Code>,
        at: Timestamp,
    ) {
        let app = live.app.get().map(|app| app.code.clone());
        let component = live.component.get().map(|component| component.name());
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rows.len() < ROWS;
        let kind = Kind { app: app.clone(), component, now, next };
        if let Some(row) = rows.get_mut(&kind) {
            row.count += 1;
            row.last_at = at;
            row.last_request_id = live.request_id().into();
        } else if room {
            let row = Difference {
                result,
                app,
                component,
                now: now.map(Code::name),
                next: next.map(Code::name),
                count: 1,
                last_at: at,
                last_request_id: live.request_id().into(),
            };
            rows.insert(kind, row);
        } else {
            self.untold.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts by result, the rows with the most frequent first, and what found none.
    pub(super) fn report(&self) -> ([u64; 5], Vec<Difference>, u64) {
        let counts = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<_> = rows.values().cloned().collect();
        rows.sort_by(|one, other| other.count.cmp(&one.count).then(one.app.cmp(&other.app)));
        (counts, rows, self.untold.load(Ordering::Relaxed))
    }
}
