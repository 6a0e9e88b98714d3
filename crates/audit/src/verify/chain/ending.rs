//! What all that was read comes to.

use std::io;

use super::{
    Chain,
    members::{Retention, members},
};
use crate::{
    journal::Segment,
    verify::{
        diagnose::Scene,
        report::{Fault, Finding, Place, Report, Verdict},
        signed::Witness,
    },
};

impl Chain {
    /// The report on a journal that breaks; `rest` begins with the segment of the break.
    pub(in crate::verify) fn broken_in(
        mut self,
        finding: Finding,
        rest: &[Segment],
    ) -> io::Result<Report> {
        if let Some((seq, prev, _)) = &self.unexplained {
            // The record that explains the beginning may be among those that are gone.
            let (mut told, mut explained) = (false, false);
            Scene { rest, line: 0 }.lines_after(|line, head, _| {
                let retention = (head.kind == "retention").then(|| members::<Retention>(line));
                if let Some(retention) = retention.flatten() {
                    told = true;
                    explained = retention.ends_before(*seq, prev);
                }
                explained
            })?;
            if explained || !told {
                self.unexplained = None;
            }
        }
        let finding = self.unexplained_finding().unwrap_or(finding);
        Ok(self.broken(finding))
    }

    fn unexplained_finding(&mut self) -> Option<Finding> {
        let (seq, _, place) = self.unexplained.take()?;
        let text = format!(
            "the journal begins with record {seq}, and no record of a removal names what was before"
        );
        Some(Finding { fault: Fault::BeginningCut, place, good: None, text })
    }

    fn broken(mut self, finding: Finding) -> Report {
        self.report.finding = Some(finding);
        self.close(Verdict::Problem)
    }

    fn close(mut self, verdict: Verdict) -> Report {
        self.report.verdict = verdict;
        self.report.last_seq = self.last.as_ref().map(|last| last.seq);
        self.report.witnessed_seq = self.witnessed;
        self.report.keys = self.keys;
        self.report.key_from = self.key_from;
        self.report
    }

    /// The end of the journal, or of the range.
    pub(in crate::verify) fn end(mut self) -> Report {
        if !self.suspects.is_empty() {
            let finding = self.suspects.remove(0).finding;
            return self.broken(finding);
        }
        if let Some(finding) = self.bad_witness.take() {
            return self.broken(finding);
        }
        let last = self.last.as_ref().map_or(0, |last| last.seq);
        // A `to` that is not followed by a checkpoint is the journal's end.
        if self.enough {
            if self.unexplained.is_some() {
                let text = "what explains where the journal begins lies after the range";
                self.report.notes.push(text.into());
            }
            // The signature of the checkpoint at its end vouches for the range.
            return self.close(Verdict::Whole);
        }
        if let Some(finding) = self.cut(last).or_else(|| self.unexplained_finding()) {
            return self.broken(finding);
        }
        let old: Vec<String> = self.older();
        self.report.notes.extend(old);
        let Some(witnessed) = self.witnessed else {
            self.report.tail = last.saturating_sub(self.report.signed_seq.unwrap_or(0));
            self.report.notes.push(
                "there is no signed witness: that nothing is missing at the end cannot be told"
                    .into(),
            );
            return self.close(Verdict::UnwitnessedTail);
        };
        self.report.tail = last.saturating_sub(witnessed);
        if let Some(seq) = self.explained_by.filter(|seq| *seq > witnessed) {
            self.report
                .notes
                .push(format!("record {seq}, which explains what is missing, is not witnessed"));
        }
        let tail = self.report.tail > 0;
        self.close(if tail { Verdict::UnwitnessedTail } else { Verdict::Whole })
    }

    /// Records that a witness knows and that are not there.
    fn cut(&self, last: u64) -> Option<Finding> {
        let known = self.witnesses.iter().filter(|(_, witness)| witness.seq > last);
        let (file, witness) = known.max_by_key(|(_, witness)| witness.seq)?;
        let text = format!(
            "records {} to {} are missing: the witness {file} knows them",
            last.saturating_add(1),
            witness.seq
        );
        let after = || self.place(self.lines + 1, self.end, None);
        let torn = self.report.torn.as_ref().map(|torn| torn.place.clone());
        let seq = Some(last.saturating_add(1));
        let place = Place { seq, ..torn.unwrap_or_else(after) };
        Some(self.unsigned(Fault::TailCut, place, text))
    }

    fn older(&self) -> Vec<String> {
        let first = self.report.first_seq.unwrap_or(1);
        let older = self.witnesses.iter().filter(|(_, witness)| witness.seq < first);
        let note = |(file, witness): &(String, Witness)| {
            format!("the witness {file} names record {}, before all that was read", witness.seq)
        };
        older.map(note).collect()
    }
}
