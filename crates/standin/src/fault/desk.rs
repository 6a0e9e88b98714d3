//! Where rules are armed and handed out, and where a test waits for them to be met or lets go what they hold.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::{Fault, Rule};
use crate::guarded::Guarded;

/// The faults of one service, switched on and off while it runs.
#[derive(Debug)]
pub struct Faults {
    desk: Guarded<Desk>,
    /// The number of rules, so that the plain path takes no lock.
    armed: AtomicUsize,
    listener: mpsc::UnboundedSender<Listening>,
}

#[derive(Debug, Default)]
struct Desk {
    rules: Vec<(Rule, Arc<Latch>)>,
    /// Rules that are used up may still hold a request.
    spent: Vec<Weak<Latch>>,
}

/// An armed rule, seen from the test.
#[derive(Debug, Clone)]
pub struct Armed {
    latch: Arc<Latch>,
}

/// What did not come within the time that a test would wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// How many were waited for.
    pub wanted: usize,
    /// How many had come.
    pub seen: usize,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "waited for {} but saw {}", self.wanted, self.seen)
    }
}

impl std::error::Error for Missing {}

/// One request that met one rule.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) fault: Fault,
    pub(crate) runs: bool,
    latch: Arc<Latch>,
}

/// What the accept loop is told; it answers once it is so.
#[derive(Debug)]
pub(crate) enum Listening {
    Down(oneshot::Sender<()>),
    Up(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Latch {
    hits: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

impl Faults {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Listening>) {
        let (listener, commands) = mpsc::unbounded_channel();
        (Self { desk: Guarded::default(), armed: AtomicUsize::new(0), listener }, commands)
    }

    /// Arms a rule behind those already armed; a bare [`Fault`] holds until cleared.
    pub fn arm(&self, rule: impl Into<Rule>) -> Armed {
        let latch = Arc::new(Latch::new());
        self.desk.with(|desk| {
            desk.rules.push((rule.into(), Arc::clone(&latch)));
            self.armed.store(desk.rules.len(), Ordering::Release);
        });
        Armed { latch }
    }

    /// Disarms everything and lets go whatever is held.
    pub fn clear(&self) {
        let Desk { rules, spent } = self.desk.with(|desk| {
            self.armed.store(0, Ordering::Release);
            std::mem::take(desk)
        });
        let spent = spent.iter().filter_map(Weak::upgrade);
        rules.into_iter().map(|(_, latch)| latch).chain(spent).for_each(|latch| latch.release());
    }

    /// Closes the listening socket: connections are refused, its port is kept. Open connections go on.
    pub async fn refuse_connections(&self) {
        self.tell(Listening::Down).await;
    }

    /// Listens again, on the same port.
    pub async fn accept_connections(&self) {
        self.tell(Listening::Up).await;
    }

    async fn tell(&self, command: impl FnOnce(oneshot::Sender<()>) -> Listening) {
        let (done, wait) = oneshot::channel();
        if self.listener.send(command(done)).is_ok() {
            // An accept loop that has gone is as closed as it can be.
            drop(wait.await);
        }
    }

    pub(crate) fn at_accept(&self) -> Option<Hit> {
        self.take(|rule| rule.component.is_none() && rule.fault.is_before_read())
    }

    pub(crate) fn at_request(&self, target: &str) -> Option<Hit> {
        self.take(|rule| rule.meets_request(target))
    }

    /// What a request meets next, once it is let go from being held.
    pub(crate) fn after_hold(&self, target: &str) -> Option<Hit> {
        self.take(|rule| !matches!(rule.fault, Fault::HoldBeforeRun) && rule.meets_request(target))
    }

    fn take(&self, meets: impl Fn(&Rule) -> bool) -> Option<Hit> {
        if self.armed.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.desk.with(|desk| {
            let due = |(rule, _): &(Rule, _)| rule.left != Some(0) && meets(rule);
            let place = desk.rules.iter().position(due)?;
            let (rule, latch) = desk.rules.get_mut(place)?;
            rule.left = rule.left.map(|left| left - 1);
            let hit = Hit { fault: rule.fault.clone(), runs: rule.runs, latch: Arc::clone(latch) };
            if rule.left == Some(0) {
                drop(desk.rules.remove(place));
                desk.spent.retain(|latch| latch.strong_count() > 0);
                desk.spent.push(Arc::downgrade(&hit.latch));
                self.armed.store(desk.rules.len(), Ordering::Release);
            }
            Some(hit)
        })
    }
}

impl Armed {
    /// How many requests (or connections) have met the rule.
    #[must_use]
    pub fn hits(&self) -> usize {
        *self.latch.hits.borrow()
    }

    /// Waits until `count` of them have; those that it holds are held by then.
    ///
    /// # Errors
    ///
    /// [`Missing`] if they have not come `within` that time.
    pub async fn hit(&self, count: usize, within: Duration) -> Result<(), Missing> {
        let mut hits = self.latch.hits.subscribe();
        let reached = tokio::time::timeout(within, hits.wait_for(|seen| *seen >= count)).await;
        let failed = !matches!(reached, Ok(Ok(_)));
        if failed { Err(Missing { wanted: count, seen: self.hits() }) } else { Ok(()) }
    }

    /// Lets go what the rule holds, now and later.
    pub fn release(&self) {
        self.latch.release();
    }
}

impl Hit {
    /// Tells the test that the fault is at work.
    pub(crate) fn announce(&self) {
        self.latch.hits.send_modify(|hits| *hits += 1);
    }

    pub(crate) async fn released(&self) {
        let mut released = self.latch.released.subscribe();
        // The sender lives in the latch that this hit owns, so this ends by release alone.
        drop(released.wait_for(|released| *released).await);
    }
}

impl Latch {
    fn new() -> Self {
        Self { hits: watch::Sender::new(0), released: watch::Sender::new(false) }
    }

    fn release(&self) {
        self.released.send_replace(true);
    }
}
