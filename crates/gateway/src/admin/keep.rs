//! The freezes of an admin: in force, and in the state folder, so that neither a restart nor a reload loses one.

use std::{
    io,
    path::{Path, PathBuf},
};

use esbgate_core::{Freeze, FreezeHandle};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::protocol::{Order, SetFreeze, VERSION};
use crate::state_folder::StateFolder;

/// The file in the state folder.
const FILE: &str = "freezes.json";

/// Longest file.
const LONGEST: u64 = 1 << 20;

/// Most freezes of an admin at a time.
const MOST: usize = 200;

/// What is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    v: u32,
    freezes: Vec<SetFreeze>,
}

/// What is kept cannot be read. Whatever was frozen must not run, so nobody may guess.
#[derive(Debug, thiserror::Error)]
#[error(
    "the freezes that an admin has set cannot be read from {}: {why}. \
     Mend the file, or remove it, which takes all of them out", .path.display()
)]
pub struct KeepError {
    path: PathBuf,
    why: String,
}

/// The freezes of an admin.
#[derive(Debug)]
pub(crate) struct Keep {
    folder: StateFolder,
    handle: FreezeHandle,
    set: Vec<SetFreeze>,
}

impl Keep {
    /// Reads what is kept below `dir` and puts it in force. Blocks.
    pub(crate) fn open(dir: &Path, handle: FreezeHandle) -> Result<Self, KeepError> {
        let damaged = |why: String| KeepError { path: dir.join(FILE), why };
        let folder = StateFolder::open(dir).map_err(|error| damaged(error.to_string()))?;
        let text = folder.read(FILE, LONGEST).map_err(|error| damaged(error.to_string()))?;
        let set = match text {
            None => Vec::new(),
            Some(text) => {
                let kept: Kept =
                    serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
                if kept.v != VERSION {
                    return Err(damaged(format!("only version {VERSION} is known")));
                }
                kept.freezes
            }
        };
        let freezes: Result<Vec<Freeze>, String> =
            set.iter().map(|one| one.order.freeze()).collect();
        handle.replace(freezes.map_err(damaged)?);
        Ok(Self { folder, handle, set })
    }

    /// All of them.
    pub(crate) fn list(&self) -> &[SetFreeze] {
        &self.set
    }

    /// Puts one in force; those that have ended make room. Nothing is kept yet.
    pub(crate) fn set(&mut self, order: Order, now: Timestamp, uid: u32) -> Result<String, String> {
        order.freeze()?;
        if order.until.is_some_and(|until| until <= now) {
            return Err("until is past: it would stop nothing".into());
        }
        let held = |one: &SetFreeze| one.order.until.is_none_or(|until| now < until);
        if self.set.iter().filter(|one| held(one)).count() >= MOST {
            return Err(format!("at most {MOST} freezes: take some out first"));
        }
        let id = self.free_id()?;
        self.set.retain(held);
        self.set.push(SetFreeze { id: id.clone(), order, set_at: now, set_by_uid: uid });
        self.in_force();
        Ok(id)
    }

    /// Whether there is one of this id.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.set.iter().any(|one| one.id == id)
    }

    /// Takes one out of what is kept, and then out of force; a failure leaves it where it is. Blocks.
    pub(crate) fn unset(&mut self, id: &str) -> io::Result<()> {
        let left: Vec<SetFreeze> = self.set.iter().filter(|one| one.id != id).cloned().collect();
        write(&self.folder, &left)?;
        self.set = left;
        self.in_force();
        Ok(())
    }

    /// Keeps what is set. Blocks.
    pub(crate) fn save(&self) -> io::Result<()> {
        write(&self.folder, &self.set)
    }

    fn in_force(&self) {
        // Each was a freeze when it was set or read.
        self.handle.replace(self.set.iter().filter_map(|one| one.order.freeze().ok()).collect());
    }

    fn free_id(&self) -> Result<String, String> {
        let mut random = [0; 4];
        for _ in 0..64 {
            if aws_lc_rs::rand::fill(&mut random).is_err() {
                return Err("the system gives no random numbers".into());
            }
            let id = esbgate_model::hex(&random);
            if !self.has(&id) {
                return Ok(id);
            }
        }
        Err("no id is free".into())
    }
}

fn write(folder: &StateFolder, set: &[SetFreeze]) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(&Kept { v: VERSION, freezes: set.to_vec() })?;
    folder.write(FILE, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::protocol::Subject;

    fn order(reason: &str, until: Option<&str>) -> Order {
        let until = until.map(|text| text.parse().unwrap());
        Order { subject: Subject::Everything, reason: reason.into(), from: None, until }
    }

    #[test]
    fn what_is_saved_is_there_again_and_what_is_taken_out_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut keep = Keep::open(dir.path(), FreezeHandle::default()).unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let first = keep.set(order("a", None), now, 7).unwrap();
        let second = keep.set(order("b", Some("2999-01-01T00:00Z")), now, 7).unwrap();
        keep.save().unwrap();
        let mut again = Keep::open(dir.path(), FreezeHandle::default()).unwrap();
        assert!(again.has(&first) && again.has(&second));
        again.unset(&first).unwrap();
        let last = Keep::open(dir.path(), FreezeHandle::default()).unwrap();
        assert_eq!(last.list().len(), 1);
        assert_eq!((&last.list()[0].id, last.list()[0].set_by_uid), (&second, 7));
    }

    #[test]
    fn a_file_that_is_damaged_is_named_and_nothing_is_guessed() {
        let dir = tempfile::tempdir().unwrap();
        for text in [
            "",
            "{",
            r#"{"v": 2, "freezes": []}"#,
            r#"{"v": 1, "freezes": [], "more": 1}"#,
            r#"{"v": 1, "freezes": [{"id": "a", "order": {"subject": {"app": "a b"}, "reason": "r"},
                "set_at": "2027-01-01T00:00:00Z", "set_by_uid": 0}]}"#,
        ] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            let error = Keep::open(dir.path(), FreezeHandle::default()).unwrap_err().to_string();
            assert!(error.contains("freezes.json") && error.contains("or remove it"), "{error}");
        }
    }

    #[test]
    fn a_freeze_that_has_ended_already_is_refused_and_not_called_set() {
        let dir = tempfile::tempdir().unwrap();
        let mut keep = Keep::open(dir.path(), FreezeHandle::default()).unwrap();
        let end = "2027-01-01T00:00Z";
        let said = keep.set(order("r", Some(end)), end.parse().unwrap(), 0).unwrap_err();
        assert_eq!(said, "until is past: it would stop nothing");
        assert!(keep.list().is_empty());
    }

    #[test]
    fn there_are_at_most_two_hundred_and_those_that_ended_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let mut keep = Keep::open(dir.path(), FreezeHandle::default()).unwrap();
        let end = "2027-01-01T00:00Z";
        for _ in 0..MOST {
            keep.set(order("r", Some(end)), Timestamp::UNIX_EPOCH, 0).unwrap();
        }
        let more = keep.set(order("r", None), Timestamp::UNIX_EPOCH, 0);
        assert!(more.unwrap_err().contains("at most 200"));
        keep.set(order("r", None), end.parse().unwrap(), 0).unwrap();
        assert_eq!(keep.list().len(), 1);
    }
}
