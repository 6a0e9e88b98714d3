//! The generations that were in force, kept to go back to, and the rollback that is held.

use std::{io, path::Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::source::{LONGEST, PolicyFile, PolicyTexts};
use crate::state_folder::StateFolder;

/// How many generations are kept.
pub(crate) const KEPT: usize = 10;
/// JSON writes a line end with two bytes.
const LONGEST_KEPT: u64 = 2 * LONGEST + (1 << 20);
const LONGEST_HOLD: u64 = 64 << 10;
const GENERATIONS: &str = "generations";
const HOLD: &str = "rollback.json";
const ENDING: &str = ".json";

/// A generation that was in force once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// When it was taken.
    pub time: Timestamp,
    /// SHA-256 of its files' names and texts.
    pub sha256: Box<str>,
    /// How many applications it has.
    pub apps: usize,
    pub(crate) texts: PolicyTexts,
}

impl Generation {
    /// The names of its files.
    #[must_use]
    pub fn files(&self) -> Vec<&str> {
        self.texts.names()
    }
}

/// A rollback that holds while the policy's files are those that it was made over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The number under which it is in force.
    pub generation: u64,
    /// The kept generation whose text it is.
    pub restores: u64,
    /// SHA-256 of the files that it keeps out of force.
    pub overrides: Box<str>,
}

/// Why a generation cannot be gone back to.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// It is not there, or no longer.
    #[error("generation {0} is not kept")]
    NotKept(u64),
    /// It is there and not what was kept.
    #[error("generation {0} is damaged")]
    Damaged(u64),
    /// The state folder cannot be read or written.
    #[error("the state folder cannot be used: {0}")]
    Folder(#[from] io::Error),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    number: u64,
    time: String,
    sha256: Box<str>,
    apps: usize,
    files: Vec<WrittenFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    name: String,
    text: String,
}

/// The part of the state folder that is about policy. All that it does blocks on the disk.
#[derive(Debug, Clone)]
pub struct Shelf {
    state: StateFolder,
    generations: StateFolder,
}

impl Shelf {
    /// Opens the state folder at `dir`.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let state = StateFolder::open(dir)?;
        let generations = state.folder(GENERATIONS)?;
        Ok(Self { state, generations })
    }

    /// The same for who only looks: nothing is made and no mode is changed.
    pub fn look(dir: &Path) -> io::Result<Self> {
        let (state, generations) =
            (StateFolder::look(dir)?, StateFolder::look(&dir.join(GENERATIONS))?);
        Ok(Self { state, generations })
    }

    /// The numbers of what is kept, the oldest first.
    pub fn numbers(&self) -> io::Result<Vec<u64>> {
        let names = self.generations.names()?;
        let number = |name: &String| name.strip_suffix(ENDING)?.parse().ok();
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A kept generation, as it was.
    pub fn load(&self, number: u64) -> Result<Generation, ShelfError> {
        let content = self.generations.read(&file_of(number), LONGEST_KEPT)?;
        let content = content.ok_or(ShelfError::NotKept(number))?;
        read(&content).filter(|kept| kept.number == number).ok_or(ShelfError::Damaged(number))
    }

    /// Keeps a generation and lets the oldest beyond ten go, except `spared`. One with the same text as the newest
    /// takes its place.
    pub(crate) fn keep(&self, kept: &Generation, spared: Option<u64>) -> io::Result<()> {
        let newest = self.numbers()?.pop().filter(|number| *number < kept.number);
        let newest = newest.and_then(|number| self.load(number).ok());
        self.generations.write(&file_of(kept.number), &write(kept)?)?;
        let same = newest.filter(|newest| newest.sha256 == kept.sha256);
        if let Some(same) = same.filter(|same| Some(same.number) != spared) {
            self.generations.remove(&file_of(same.number))?;
        }
        let numbers = self.numbers()?;
        let beyond = numbers.len().saturating_sub(KEPT);
        for number in numbers.iter().take(beyond).filter(|number| Some(**number) != spared) {
            self.generations.remove(&file_of(*number))?;
        }
        Ok(())
    }

    /// The rollback that is held, if there is one. One that cannot be read is an error: it may be what keeps a bad
    /// policy out.
    pub fn hold(&self) -> io::Result<Option<Hold>> {
        let Some(content) = self.state.read(HOLD, LONGEST_HOLD)? else { return Ok(None) };
        let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, "rollback.json is damaged");
        serde_json::from_slice(&content).map(Some).map_err(damaged)
    }

    /// Holds a rollback from now on, or none.
    pub(crate) fn set_hold(&self, hold: Option<&Hold>) -> io::Result<()> {
        match hold {
            Some(hold) => self.state.write(HOLD, &serde_json::to_vec(hold)?),
            None => self.state.remove(HOLD),
        }
    }
}

fn file_of(number: u64) -> String {
    format!("{number:08}{ENDING}")
}

fn write(kept: &Generation) -> io::Result<Vec<u8>> {
    let files = kept.texts.files().iter();
    let files = files
        .map(|file| WrittenFile { name: file.name.clone(), text: file.text.clone() })
        .collect();
    let Generation { number, time, sha256, apps, .. } = kept;
    let (time, sha256) = (time.to_string(), sha256.clone());
    Ok(serde_json::to_vec(&Written { number: *number, time, sha256, apps: *apps, files })?)
}

/// What was kept; none if it is not whole.
fn read(content: &[u8]) -> Option<Generation> {
    let Written { number, time, sha256, apps, files } = serde_json::from_slice(content).ok()?;
    let files = files.into_iter().map(|file| PolicyFile { name: file.name, text: file.text });
    let texts = PolicyTexts::new(files.collect());
    let whole = texts.sha256() == &*sha256;
    let time = time.parse().ok()?;
    whole.then_some(Generation { number, time, sha256, apps, texts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(number: u64, text: &str) -> Generation {
        let file = PolicyFile { name: "policy.yaml".into(), text: text.into() };
        let texts = PolicyTexts::new(vec![file]);
        let (time, sha256) = (Timestamp::UNIX_EPOCH, texts.sha256().into());
        Generation { number, time, sha256, apps: 1, texts }
    }

    #[test]
    fn the_last_ten_are_kept_with_the_one_that_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        for number in 1..=14 {
            shelf.keep(&generation(number, &format!("text {number}\n")), Some(2)).unwrap();
        }
        let numbers = shelf.numbers().unwrap();
        assert_eq!(numbers, [2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(shelf.load(9).unwrap(), generation(9, "text 9\n"));
        assert!(matches!(shelf.load(3), Err(ShelfError::NotKept(3))));
        let again = generation(15, "text 14\n");
        shelf.keep(&again, None).unwrap();
        assert_eq!(shelf.numbers().unwrap(), [5, 6, 7, 8, 9, 10, 11, 12, 13, 15]);
    }

    #[test]
    fn what_is_damaged_is_not_taken_for_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        shelf.keep(&generation(1, "allow: none"), None).unwrap();
        let file = folder.path().join("generations/00000001.json");
        let text = std::fs::read_to_string(&file).unwrap();
        for damage in [text.replace("none", "any!"), text.chars().take(40).collect(), String::new()]
        {
            std::fs::write(&file, damage).unwrap();
            assert!(matches!(shelf.load(1), Err(ShelfError::Damaged(1))));
        }
        std::fs::write(folder.path().join("generations/00000002.json"), &text).unwrap();
        assert!(matches!(shelf.load(2), Err(ShelfError::Damaged(2))), "it says another number");
    }

    #[test]
    fn a_hold_is_read_as_it_was_written_and_a_damaged_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path()).unwrap();
        assert_eq!(shelf.hold().unwrap(), None);
        let hold = Hold { generation: 3, restores: 1, overrides: "ab".into() };
        shelf.set_hold(Some(&hold)).unwrap();
        assert_eq!(Shelf::open(folder.path()).unwrap().hold().unwrap(), Some(hold));
        std::fs::write(folder.path().join(HOLD), "{}").unwrap();
        assert!(shelf.hold().is_err());
        shelf.set_hold(None).unwrap();
        assert_eq!(shelf.hold().unwrap(), None);
    }
}
