//! A request as the server read it, and when and from where it came.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Method, Uri, Version};
use jiff::Timestamp;

use crate::{Peer, Room, Trace};

/// When something happened: the wall clock for dates, the monotonic one for spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedAt {
    /// The wall clock.
    pub wall: Timestamp,
    /// Time since the process began.
    pub monotonic: Duration,
}

/// The port to the clocks. Only adapters read it; steps ask the call when it arrived.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Both clocks, read together.
    fn now(&self) -> ReceivedAt;
}

/// A name of a client certificate, compared as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CertificateName {
    /// `uniformResourceIdentifier`.
    Uri(Box<str>),
    /// `dNSName`.
    Dns(Box<str>),
}

/// How many bytes of bodies are held at once, and how many may be.
#[derive(Debug)]
pub struct BodyBudget {
    limit: u64,
    held: AtomicU64,
}

impl BodyBudget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicU64::new(0) })
    }

    /// Takes `bytes`, or nothing.
    #[must_use]
    pub fn take(self: &Arc<Self>, bytes: u64) -> Option<BodyPermit> {
        let mut permit = BodyPermit { budget: Arc::clone(self), bytes: 0, _inside: None };
        permit.grow(bytes).then_some(permit)
    }

    /// Bytes held now.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

/// What a request holds of the gateway until its call has ended, whoever still waits for it: a share of a
/// [`BodyBudget`] and its place among the requests inside. Given back on drop.
#[derive(Debug)]
pub struct BodyPermit {
    budget: Arc<BodyBudget>,
    bytes: u64,
    _inside: Option<Room>,
}

impl BodyPermit {
    /// The same with the request's place, which from here on is held as long as the share.
    #[must_use]
    pub fn with_place(mut self, inside: Room) -> Self {
        self._inside = Some(inside);
        self
    }

    /// Takes `bytes` more; says whether there was room.
    pub fn grow(&mut self, bytes: u64) -> bool {
        // `Relaxed`: the count guards no other memory.
        let taken = self.budget.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(bytes).filter(|held| *held <= self.budget.limit)
        });
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }

    /// Takes what is missing of `bytes` in all; says whether there was room.
    pub fn cover(&mut self, bytes: u64) -> bool {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    /// Gives back what goes beyond `bytes` in all.
    pub fn shrink(&mut self, bytes: u64) {
        let spare = self.bytes.saturating_sub(bytes);
        self.bytes -= spare;
        self.budget.held.fetch_sub(spare, Ordering::Relaxed);
    }
}

impl Drop for BodyPermit {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A whole request, under its limits.
#[derive(Debug)]
pub struct ReceivedRequest {
    /// The method.
    pub method: Method,
    /// The target.
    pub uri: Uri,
    /// The protocol.
    pub version: Version,
    /// The fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// Its share of the byte budget, and its place among the requests inside.
    pub permit: BodyPermit,
    /// The other end, and the caller behind it.
    pub peer: Peer,
    /// When the head was complete.
    pub received_at: ReceivedAt,
    /// What the log and the metrics will say.
    pub trace: Arc<Trace>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_budget_is_never_overdrawn_and_is_given_back() {
        let budget = BodyBudget::new(10);
        let mut one = budget.take(6).unwrap();
        assert!(budget.take(5).is_none());
        assert!(one.grow(4) && !one.grow(1));
        assert_eq!(budget.held(), 10);
        assert!(one.cover(10) && !one.cover(11));
        one.shrink(20);
        assert_eq!(budget.held(), 10);
        one.shrink(3);
        assert_eq!(budget.held(), 3);
        drop(one);
        assert_eq!(budget.held(), 0);
    }
}
