//! What records have in the place of a value: few times a minute, because who may ask often can guess.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use esbgate_core::{AdminPeer, Bucket, LookupRecord, Quota};
use esbgate_journal::{FileJournal, HashedField};
use esbgate_model::Secret;

use super::protocol::HashedValue;

/// Look-ups at once.
const BURST: u32 = 10;
/// Until one more is allowed.
const PERIOD: Duration = Duration::from_secs(6);

/// Why nothing is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unseen {
    #[error("records have a keyed hash of no such field; they have it of: {}", names())]
    UnknownField,
    #[error("{BURST} look-ups at once, and one more each {} s: try again later", PERIOD.as_secs())]
    Limited,
    #[error("the journal takes no records, so nothing is looked up")]
    Unrecorded,
    #[error("the value cannot be hashed")]
    Failed,
}

impl Unseen {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::UnknownField => "unknown_field",
            Self::Limited => "limited",
            Self::Unrecorded => "unrecorded",
            Self::Failed => "failed",
        }
    }
}

fn names() -> String {
    let names: Vec<_> = HashedField::all().iter().map(|field| field.name()).collect();
    names.join(", ")
}

/// Look-ups, and how many there may be.
#[derive(Debug)]
pub(super) struct Lookups(Arc<Bucket>);

impl Default for Lookups {
    fn default() -> Self {
        let burst = NonZeroU32::MIN.saturating_add(BURST - 1);
        Self(Bucket::new(Quota { period: PERIOD, burst }))
    }
}

impl Lookups {
    /// The hashes of a value, once the look-up is on record; so is one that is refused.
    pub(super) async fn look(
        &self,
        journal: &FileJournal,
        (name, value): (&str, &Secret),
        now: Duration,
        peer: AdminPeer,
    ) -> Result<Vec<HashedValue>, Unseen> {
        let field = HashedField::named(name);
        let hashed = self.hashed(journal, field, value, now);
        let (key_ids, result) = match &hashed {
            Ok(_) => (journal.keys().ids(), "done"),
            Err(why) => (Vec::new(), why.code()),
        };
        let field = field.map(HashedField::name);
        let record = LookupRecord { field, key_ids: &key_ids, peer, result };
        let recorded = journal.lookup(&record).await.is_ok();
        tracing::info!(field, ?key_ids, uid = peer.uid, result, recorded, "look-up of an admin");
        if recorded || hashed.is_err() { hashed } else { Err(Unseen::Unrecorded) }
    }

    fn hashed(
        &self,
        journal: &FileJournal,
        field: Option<HashedField>,
        value: &Secret,
        now: Duration,
    ) -> Result<Vec<HashedValue>, Unseen> {
        let field = field.ok_or(Unseen::UnknownField)?;
        let (mut charge, _) = self.0.take(NonZeroU32::MIN, now).map_err(|_| Unseen::Limited)?;
        charge.keep();
        let hashes = journal.keys().hashes(field, value.expose()).map_err(|_| Unseen::Failed)?;
        let told = hashes.into_iter();
        Ok(told.map(|one| HashedValue { key_id: one.key_id, hmac: one.hmac }).collect())
    }
}
