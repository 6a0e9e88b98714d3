//! Differing decisions for the journal: of each kind one call a minute, with how many there were.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::PoisonError,
};

use esbgate_core::{Decided, ShadowRecord, ShadowResult, Trace};
use esbgate_model::{Code, Name};
use jiff::Timestamp;

/// Most kinds in a minute, so that a next policy that differs on everything does not fill a disk.
const KINDS: usize = 64;

/// Most of one application, so that one does not crowd the others out.
const OF_APP: usize = 8;

#[expect(clippy::disallowed_types, reason = "off the request path; held for one update")]
type Lock<T> = std::sync::Mutex<T>;

/// Since it was last put on record.
#[derive(Debug, Default)]
pub(super) struct Samples(Lock<Minute>);

#[derive(Debug, Default)]
struct Minute {
    kinds: HashMap<Kind, Sample>,
    /// Differences that found no place.
    lost: u64,
}

/// What one policy says of a call.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Said {
    code: Option<Code>,
    grant: Option<Box<str>>,
}

/// Calls that differ in the same way.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Kind {
    next_sha256: Box<str>,
    app: Option<Name>,
    component: Option<&'static str>,
    now: Said,
    next: Said,
}

/// The first of them, and how many there are.
#[derive(Debug)]
struct Sample {
    request_id: Box<str>,
    received_at: Timestamp,
    user: Option<Name>,
    generation: Option<u64>,
    result: ShadowResult,
    count: u64,
}

/// A call as both policies left it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    /// Under the policy in force.
    pub(super) live: &'a Trace,
    pub(super) now: Option<Code>,
    /// Under the next policy.
    pub(super) walked: &'a Trace,
    pub(super) next: Option<Code>,
}

impl Pair<'_> {
    fn kind(&self, next_sha256: &str) -> Kind {
        let Self { live, now, walked, next } = *self;
        // Either may be the only one that knows it.
        let app = live.app.get().or(walked.app.get());
        let component = live.component.get().or(walked.component.get());
        Kind {
            next_sha256: next_sha256.into(),
            app: app.map(|app| app.code.clone()),
            component: component.map(|component| component.name()),
            now: Said::of(live, now),
            next: Said::of(walked, next),
        }
    }
}

impl Said {
    fn of(trace: &Trace, code: Option<Code>) -> Self {
        // A call that is allowed and then too dear has a rule, and is refused all the same.
        let grant = trace.rule_name().filter(|_| code.is_none());
        Self { code, grant: grant.map(Into::into) }
    }

    fn told(&self) -> Decided<'_> {
        Decided { code_name: self.code.map(Code::name), grant: self.grant.as_deref() }
    }
}

impl Samples {
    /// Notes a difference.
    pub(super) fn add(&self, pair: Pair<'_>, result: ShadowResult, next_sha256: &str) {
        let kind = pair.kind(next_sha256);
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_app = minute.kinds.keys().filter(|known| known.app == kind.app).count();
        let full = minute.kinds.len() >= KINDS || of_app >= OF_APP;
        match minute.kinds.entry(kind) {
            Entry::Occupied(mut known) => {
                let sample = known.get_mut();
                sample.count = sample.count.saturating_add(1);
            }
            Entry::Vacant(place) if !full => {
                let Pair { live, walked, .. } = pair;
                place.insert(Sample {
                    request_id: live.request_id().into(),
                    received_at: live.received_at().wall,
                    user: live.user.get().or(walked.user.get()).cloned(),
                    generation: live.generation.get().copied(),
                    result,
                    count: 1,
                });
            }
            Entry::Vacant(_) => minute.lost = minute.lost.saturating_add(1),
        }
    }

    /// Hands what was noted over, and begins anew; says how many differences found no place.
    pub(super) fn take(&self, mut put: impl FnMut(&ShadowRecord<'_>)) -> u64 {
        let taken = {
            let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *minute)
        };
        let Minute { kinds, lost } = taken;
        for (kind, sample) in &kinds {
            put(&ShadowRecord {
                request_id: &sample.request_id,
                received_at: sample.received_at,
                app: kind.app.as_ref(),
                user: sample.user.as_ref(),
                component: kind.component,
                result: sample.result,
                now: kind.now.told(),
                next: kind.next.told(),
                generation: sample.generation,
                next_sha256: &kind.next_sha256,
                count: sample.count,
            });
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use esbgate_core::{Nobody, Peer, ReceivedAt};
    use esbgate_model::Component;

    use super::*;

    /// A trace of a call that nobody has proved.
    fn trace(component: usize) -> Arc<Trace> {
        let at = ReceivedAt { wall: Timestamp::UNIX_EPOCH, monotonic: Default::default() };
        let trace = Trace::new("r".into(), Peer::new(None, Arc::default()), at, Arc::new(Nobody));
        trace.component.set(Component::all().nth(component).unwrap()).unwrap();
        trace
    }

    fn add(samples: &Samples, component: usize, sha256: &str) {
        let (live, walked) = (trace(component), trace(component));
        let pair =
            Pair { live: &live, now: Some(Code::AppVerifyFailed), walked: &walked, next: None };
        samples.add(pair, ShadowResult::WouldAllow, sha256);
    }

    fn taken(samples: &Samples) -> (Vec<u64>, u64) {
        let mut counts = Vec::new();
        let lost = samples.take(|record| counts.push(record.count));
        counts.sort_unstable();
        (counts, lost)
    }

    #[test]
    fn calls_that_differ_alike_are_one_sample_until_it_is_taken() {
        let samples = Samples::default();
        (0..5).for_each(|_| add(&samples, 0, "a"));
        add(&samples, 1, "a");
        add(&samples, 0, "b");
        assert_eq!(taken(&samples), (vec![1, 1, 5], 0));
        assert_eq!(taken(&samples), (vec![], 0));
    }

    #[test]
    fn one_application_has_its_share_and_what_finds_no_place_is_counted() {
        let samples = Samples::default();
        (0..OF_APP + 3).for_each(|component| add(&samples, component, "a"));
        // Those that have a place go on counting.
        add(&samples, 0, "a");
        let (counts, lost) = taken(&samples);
        assert_eq!((counts.len(), counts.iter().sum::<u64>(), lost), (OF_APP, 9, 3));
    }
}
