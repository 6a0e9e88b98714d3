//! What is signed: checkpoints and the witness.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use esbgate_model::hex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{journal::Journal, record::unhex};

/// Most that is read of a witness: HEAD has less than 1 KiB, the cursor of a sink may name thousands of open intents.
const LONGEST_WITNESS: u64 = 4 << 20;

/// An Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    pub(super) fn signed(self, text: &str, signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(text.as_bytes(), &signature.0).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.trim().to_ascii_lowercase();
        unhex(lower.as_bytes()).map(Self).ok_or("a public key is 64 hexadecimal digits")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A signature of 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature([u8; 64]);

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = unhex(text.as_bytes()).map(Self);
        bytes.ok_or_else(|| D::Error::custom("a signature is 128 hexadecimal digits"))
    }
}

/// `HEAD`, or the cursor of a sink: the last record that the gateway vouches for outside the segments. A cursor that is
/// behind `HEAD` has no signature.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Witness {
    node: String,
    /// The boot's folder.
    pub boot: String,
    /// The segment's number in it.
    pub segment: u64,
    /// The byte after the record, in the plain segment.
    pub offset: u64,
    /// The record's number.
    pub seq: u64,
    hash: String,
    /// When it was written, RFC 3339.
    pub time: String,
    #[serde(default)]
    public_key: Option<PublicKey>,
    #[serde(default)]
    signature: Option<Signature>,
}

/// What the signature of a witness says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// It holds, with this key.
    By(PublicKey),
    /// There is none.
    Not,
    /// It does not hold, or is not whole.
    Badly,
}

impl Witness {
    /// Reads a witness; its signature is not looked at.
    ///
    /// # Errors
    /// What the system says, and [`io::ErrorKind::InvalidData`] where it is none.
    pub fn read(path: &Path) -> io::Result<Self> {
        use io::Read as _;
        let mut text = Vec::new();
        std::fs::File::open(path)?.take(LONGEST_WITNESS).read_to_end(&mut text)?;
        serde_json::from_slice(&text)
            .map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault))
    }

    /// The key that is named, whether it has signed or not.
    pub(super) fn key(&self) -> Option<PublicKey> {
        self.public_key
    }

    pub(super) fn signed(&self) -> Signed {
        let Self { node, boot, segment, offset, seq, hash, time, public_key, signature } = self;
        let (key, signature) = match (public_key, signature) {
            (Some(key), Some(signature)) => (*key, signature),
            (None, None) => return Signed::Not,
            (Some(_), None) | (None, Some(_)) => return Signed::Badly,
        };
        let text =
            format!("esbgate-head-2\n{node}\n{boot}\n{segment}\n{offset}\n{seq}\n{hash}\n{time}\n");
        if key.signed(&text, signature) { Signed::By(key) } else { Signed::Badly }
    }

    /// Whether it names this record. A cursor may stand in the next segment already, and no signature covers its place.
    pub(super) fn names(&self, boot: &str, segment: u64, end: u64, hash: &[u8; 32]) -> bool {
        let place = (self.boot.as_str(), self.segment, self.offset) == (boot, segment, end);
        (place || self.signature.is_none()) && unhex(self.hash.as_bytes()) == Some(*hash)
    }
}

/// A witness that was looked for, and where.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// It was named by who asked.
    pub(super) given: bool,
    pub(super) witness: Result<Witness, String>,
}

/// The witness that was given, which must be there, and the journal's own.
pub(super) fn witnesses(journal: &Journal, given: Option<&Path>) -> io::Result<Vec<Found>> {
    let mut all = Vec::new();
    if let Some(path) = given {
        all.push(found(path, true)?);
    }
    let own = journal.witness();
    match found(&own, false) {
        Ok(found) => all.push(found),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
        Err(fault) => return Err(fault),
    }
    Ok(all)
}

fn found(path: &Path, given: bool) -> io::Result<Found> {
    let witness = match Witness::read(path) {
        Err(fault) if fault.kind() == io::ErrorKind::InvalidData => Err(fault.to_string()),
        other => Ok(other?),
    };
    Ok(Found { path: path.to_owned(), given, witness })
}

/// What a checkpoint signs.
pub(super) fn checkpoint_text(node: &str, boot: &str, seq: u64, prev: &[u8; 32]) -> String {
    format!("esbgate-checkpoint-2\n{node}\n{boot}\n{seq}\n{}\n", hex(prev))
}
