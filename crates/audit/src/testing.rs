//! Journals for tests and benchmarks: what the gateway's writer writes, without its threads, its syncs and its clock.

mod calls;

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use esbgate_model::{hex, sha256};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub use self::calls::{Sample, intent, outcome};

/// 2027-01-01T00:00:00Z in microseconds.
const BEGINNING: i64 = 1_798_761_600_000_000;
/// Microseconds from one record to the next.
const STEP: i64 = 10_000;

/// Writes a journal of one node.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    key: Ed25519KeyPair,
    boots: u64,
    boot: String,
    segment: u64,
    segment_bytes: u64,
    file: File,
    buffer: Vec<u8>,
    offset: u64,
    seq: u64,
    prev: [u8; 32],
    time: i64,
    unsigned: u64,
    open: Vec<u64>,
}

/// The key that belongs to a seed.
///
/// # Errors
/// Where the library refuses the seed.
pub fn key(seed: u8) -> io::Result<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).map_err(io::Error::other)
}

impl Writer {
    /// Begins a journal in `dir`, with segments of about this many bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(dir: &Path, segment_bytes: u64) -> io::Result<Self> {
        let mut writer = Self {
            dir: dir.to_owned(),
            key: key(7)?,
            boots: 0,
            boot: String::new(),
            segment: 1,
            segment_bytes,
            file: File::open("/dev/null")?,
            buffer: Vec::new(),
            offset: 0,
            seq: 0,
            prev: [0; 32],
            time: BEGINNING,
            unsigned: 0,
            open: Vec::new(),
        };
        writer.start()?;
        Ok(writer)
    }

    /// The public key, in hexadecimal digits.
    #[must_use]
    pub fn public_key(&self) -> String {
        hex(self.key.public_key().as_ref())
    }

    /// The number of the last record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The file that is written to.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.path_of(self.segment)
    }

    fn path_of(&self, segment: u64) -> PathBuf {
        self.dir.join(&self.boot).join(format!("{segment:08}.jsonl"))
    }

    /// Begins the next boot; what the one before it left open stays as it is.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(&mut self) -> io::Result<()> {
        self.flush()?;
        let predecessor = (self.seq > 0)
            .then(|| json!({"boot": self.boot, "seq": self.seq, "hash": hex(&self.prev)}));
        self.boots += 1;
        self.boot = format!("20270101T{:06}Z-{:04}", self.boots, self.boots);
        std::fs::create_dir(self.dir.join(&self.boot))?;
        self.segment = 1;
        self.reopen()?;
        let members = json!({"version": "0.1.0", "predecessor": predecessor,
            "public_key": self.public_key(), "durability": "written", "mode": "strict"});
        self.record("start", &members)?;
        self.head()
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = OpenOptions::new().append(true).create(true).open(self.path())?;
        self.offset = 0;
        Ok(())
    }

    /// Ends the segment, as size or time do; gives its path.
    ///
    /// # Errors
    /// What the system says.
    pub fn rotate(&mut self) -> io::Result<PathBuf> {
        self.flush()?;
        let closed = self.path();
        self.segment += 1;
        self.reopen()?;
        self.head()?;
        Ok(closed)
    }

    /// Appends a record; gives its number. `members` is an object.
    ///
    /// # Errors
    /// What the system says.
    pub fn record(&mut self, kind: &str, members: &Value) -> io::Result<u64> {
        if self.offset >= self.segment_bytes {
            self.rotate()?;
        }
        self.seq += 1;
        self.time += STEP;
        let time = Timestamp::from_microsecond(self.time).map_err(io::Error::other)?;
        let (seq, boot) = (self.seq, &self.boot);
        let mut line = format!(
            "{{\"v\":2,\"seq\":{seq},\"time\":\"{time}\",\"node\":\"n1\",\"boot\":\"{boot}\",\"kind\":\"{kind}\""
        );
        let members = members.to_string();
        let inner = members.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        if let Some(inner) = inner.filter(|inner| !inner.is_empty()) {
            line.push(',');
            line.push_str(inner);
        }
        self.prev = seal(&mut line, &self.prev);
        line.push('\n');
        self.offset += line.len() as u64;
        self.buffer.extend_from_slice(line.as_bytes());
        self.unsigned += 1;
        if self.buffer.len() > 1 << 18 {
            self.flush()?;
        }
        Ok(self.seq)
    }

    /// An intent and, unless it stays open, its outcome. Gives the intent's number.
    ///
    /// # Errors
    /// What the system says.
    pub fn call(&mut self, sample: &Sample) -> io::Result<u64> {
        let seq = self.intent(sample)?;
        self.outcome(seq, sample)?;
        Ok(seq)
    }

    /// The intent alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn intent(&mut self, sample: &Sample) -> io::Result<u64> {
        let seq = self.record("intent", &intent(sample))?;
        self.open.push(seq);
        Ok(seq)
    }

    /// The outcome of an intent.
    ///
    /// # Errors
    /// What the system says.
    pub fn outcome(&mut self, intent: u64, sample: &Sample) -> io::Result<u64> {
        self.open.retain(|&open| open != intent);
        self.record("outcome", &outcome(intent, sample))
    }

    /// A signed checkpoint, and the witness.
    ///
    /// # Errors
    /// What the system says.
    pub fn checkpoint(&mut self) -> io::Result<u64> {
        if self.offset >= self.segment_bytes {
            self.rotate()?;
        }
        let text = checkpoint_text("n1", &self.boot, self.seq + 1, &hex(&self.prev));
        let members = json!({"records": self.unsigned, "open_intents": self.open,
            "public_key": self.public_key(), "signature": hex(self.key.sign(text.as_bytes()).as_ref())});
        let seq = self.record("checkpoint", &members)?;
        self.unsigned = 0;
        self.head()?;
        Ok(seq)
    }

    /// The end of a boot: a checkpoint, the stop and the witness.
    ///
    /// # Errors
    /// What the system says.
    pub fn stop(&mut self) -> io::Result<u64> {
        self.checkpoint()?;
        let open = self.open.len();
        let seq = self.record("stop", &json!({"open_intents": open}))?;
        self.head()?;
        Ok(seq)
    }

    /// Writes the witness anew.
    ///
    /// # Errors
    /// What the system says.
    pub fn head(&mut self) -> io::Result<()> {
        self.flush()?;
        let time = Timestamp::from_microsecond(self.time).map_err(io::Error::other)?.to_string();
        let hash = hex(&self.prev);
        let Self { boot, segment, offset, seq, .. } = &*self;
        let text =
            format!("esbgate-head-2\nn1\n{boot}\n{segment}\n{offset}\n{seq}\n{hash}\n{time}\n");
        let head = json!({"v": 2, "node": "n1", "boot": boot, "segment": segment, "offset": offset,
            "seq": seq, "hash": hash, "time": time, "public_key": self.public_key(),
            "signature": hex(self.key.sign(text.as_bytes()).as_ref())});
        std::fs::write(self.dir.join("HEAD"), format!("{head}\n"))
    }

    /// Appends bytes that are no record, such as what a crash leaves.
    ///
    /// # Errors
    /// What the system says.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.flush()?;
        self.file.write_all(bytes)
    }

    /// Writes what is held back.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// A record of the removal of segments, as retention writes it before it removes them.
    ///
    /// # Errors
    /// What the system says, and where a file is no segment of whole records.
    pub fn retention(&mut self, segments: &[PathBuf]) -> io::Result<u64> {
        let mut named = Vec::new();
        for path in segments {
            let text = std::fs::read_to_string(path)?;
            let numbers = |line: Option<&str>| {
                let line: Option<Map<String, Value>> = serde_json::from_str(line?).ok();
                line
            };
            let (Some(first), Some(last)) =
                (numbers(text.lines().next()), numbers(text.lines().next_back()))
            else {
                return Err(io::Error::other("no records"));
            };
            let number = path.file_stem().and_then(|name| name.to_str()).map(str::parse::<u64>);
            named.push(json!({"boot": first.get("boot"), "segment": number.and_then(Result::ok),
                "first_seq": first.get("seq"), "last_seq": last.get("seq"), "last_hash": last.get("hash")}));
        }
        self.record("retention", &json!({"segments": named, "cause": "age"}))
    }

    /// The hash of the last record, in hexadecimal digits.
    #[must_use]
    pub fn last_hash(&self) -> String {
        hex(&self.prev)
    }
}

/// What a checkpoint signs.
#[must_use]
pub fn checkpoint_text(node: &str, boot: &str, seq: u64, prev: &str) -> String {
    format!("esbgate-checkpoint-2\n{node}\n{boot}\n{seq}\n{prev}\n")
}

/// Ends a line that lacks its `}` with the two hashes; gives its own.
pub fn seal(line: &mut String, prev: &[u8; 32]) -> [u8; 32] {
    line.push_str(",\"prev\":\"");
    line.push_str(&hex(prev));
    line.push('"');
    let hash = sha256(line.as_bytes());
    line.push_str(",\"hash\":\"");
    line.push_str(&hex(&hash));
    line.push_str("\"}");
    hash
}
