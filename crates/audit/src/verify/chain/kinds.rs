//! What the kind of a record asks for besides its place in the chain.

use super::{
    Chain,
    members::{Checkpoint, Outcome, Repair, Retention, Start, members},
};
use crate::{
    lines::Line,
    record::{Hash, Head, Sealed},
    verify::{
        report::{Fault, Finding, KeyFrom, Place},
        signed::{PublicKey, Signed, checkpoint_text},
    },
};

impl Chain {
    /// What a record's kind asks for besides.
    pub(super) fn kind(
        &mut self,
        here: &Place,
        line: &Line<'_>,
        head: &Head<'_>,
        sealed: &Sealed<'_>,
    ) -> Option<Finding> {
        let unreadable = |kind: &str| {
            self.found(Fault::Changed, here.clone(), format!("the {kind} record cannot be read"))
        };
        match &*head.kind {
            "intent" => {
                self.open.insert(head.seq);
            }
            "outcome" => {
                let Some(outcome) = members::<Outcome>(line.bytes) else {
                    return Some(unreadable("outcome"));
                };
                return self.outcome(here, outcome.intent?);
            }
            "start" => {
                let Some(start) = members::<Start>(line.bytes) else {
                    return Some(unreadable("start"));
                };
                return self.start(here, &start);
            }
            "checkpoint" => {
                let Some(checkpoint) = members::<Checkpoint>(line.bytes) else {
                    return Some(unreadable("checkpoint"));
                };
                return self.checkpoint(here, head, sealed, &checkpoint);
            }
            "retention" => {
                let Some(retention) = members::<Retention>(line.bytes) else {
                    return Some(unreadable("retention"));
                };
                let named = |(seq, prev, _): &(u64, Hash, Place)| retention.ends_before(*seq, prev);
                if self.unexplained.as_ref().is_some_and(named) {
                    self.unexplained = None;
                    self.explained_by = Some(head.seq);
                }
            }
            "repair" => {
                let Some(repair) = members::<Repair>(line.bytes) else {
                    return Some(unreadable("repair"));
                };
                let before = self.suspects.len();
                self.suspects.retain(|one| !repair.explains(&one.segment, one.at));
                if self.suspects.len() < before {
                    self.explained_by = Some(head.seq);
                }
            }
            _ => {}
        }
        None
    }

    fn outcome(&mut self, here: &Place, intent: u64) -> Option<Finding> {
        let first = self.report.first_seq.unwrap_or(u64::MAX);
        if self.open.remove(&intent) || intent < first {
            return None;
        }
        let text = format!("it is the outcome of record {intent}, which is no open intent");
        Some(self.unsigned(Fault::Orphan, here.clone(), text))
    }

    fn start(&mut self, here: &Place, start: &Start) -> Option<Finding> {
        if let Some(found) = self.trusts(here, start.public_key) {
            return Some(found);
        }
        let known = self.last.as_ref()?;
        let boot = known.place.segment.as_ref().map(|id| &*id.boot);
        let named = start.predecessor.as_ref();
        let same = named.is_some_and(|named| named.is(boot, known.seq, &known.hash));
        let text = "the start names another predecessor than the record before it";
        (!same).then(|| self.unsigned(Fault::Changed, here.clone(), text))
    }

    /// None where the key may sign.
    fn trusts(&mut self, here: &Place, key: PublicKey) -> Option<Finding> {
        if self.keys.is_empty() {
            self.keys.push(key);
            self.key_from = Some(KeyFrom::Journal);
        }
        let text = format!("the public key {key} is not trusted");
        (!self.keys.contains(&key)).then(|| self.unsigned(Fault::OtherKey, here.clone(), text))
    }

    fn checkpoint(
        &mut self,
        here: &Place,
        head: &Head<'_>,
        sealed: &Sealed<'_>,
        checkpoint: &Checkpoint,
    ) -> Option<Finding> {
        if let Some(found) = self.trusts(here, checkpoint.public_key) {
            return Some(found);
        }
        let text = checkpoint_text(&head.node, &head.boot, head.seq, &sealed.prev);
        if !checkpoint.public_key.signed(&text, &checkpoint.signature) {
            let text = "the signature of the checkpoint does not hold for the records before it";
            return Some(self.rewritten(here.clone(), text));
        }
        // Its own members are covered by the next signature only.
        if let Some(last) = &self.last {
            self.signed = Some(last.place.clone());
            self.report.signed_seq = Some(last.seq);
        }
        None
    }

    pub(super) fn witness(
        &mut self,
        n: usize,
        here: &Place,
        head: &Head<'_>,
        sealed: &Sealed<'_>,
    ) -> Option<Finding> {
        let (_, witness) = self.witnesses.get(n)?;
        if witness.seq != head.seq {
            return None;
        }
        let segment = here.segment.as_ref()?;
        if !witness.names(&segment.boot, segment.number, self.end, &sealed.hash) {
            return Some(self.rewritten(here.clone(), "the witness knows another record here"));
        }
        if witness.signed() == Signed::Not {
            return None;
        }
        self.signed = Some(here.clone());
        self.witnessed = self.witnessed.max(Some(head.seq));
        self.report.signed_seq = self.report.signed_seq.max(Some(head.seq));
        None
    }
}
