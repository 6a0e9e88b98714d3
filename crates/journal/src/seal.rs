//! The key that signs checkpoints and the witness.
//!
//! It lies apart from the journal, so that who can write the journal alone cannot sign it.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use esbgate_model::hex;
use zeroize::Zeroizing;

/// The name of the key's file.
pub(crate) const FILE: &str = "checkpoint.key";
/// Longer files are no key.
const LONGEST: u64 = 4096;

/// An Ed25519 key.
pub(crate) struct Seal {
    key: Ed25519KeyPair,
    public: String,
}

impl Seal {
    /// The key in `folder`, which is made where there is none.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        let file = match OpenOptions::new().read(true).custom_flags(nonblocking()).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(folder)?;
                File::open(&path)?
            }
            Err(error) => return Err(error),
        };
        let met = file.metadata()?;
        if !met.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        if met.mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "others can read the key of checkpoints");
        }
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(LONGEST).read_to_end(&mut bytes)?;
        let key = Ed25519KeyPair::from_pkcs8(&bytes)
            .map_err(|_| io::Error::other("it is no Ed25519 key in PKCS#8"))?;
        let public = hex(key.public_key().as_ref());
        Ok(Self { key, public })
    }

    /// The public key, in hexadecimal digits.
    pub(crate) fn public(&self) -> &str {
        &self.public
    }

    /// The signature over a text, in hexadecimal digits.
    pub(crate) fn sign(&self, text: &str) -> String {
        hex(self.key.sign(text.as_bytes()).as_ref())
    }
}

/// Whether `signature` over `text` was made with the key that `public` belongs to.
pub(crate) fn verifies(public: &str, text: &str, signature: &str) -> bool {
    let (Some(public), Some(signature)) = (bytes(public), bytes(signature)) else { return false };
    UnparsedPublicKey::new(&ED25519, public).verify(text.as_bytes(), &signature).is_ok()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Opening a pipe must not wait for its other end.
pub(crate) fn nonblocking() -> i32 {
    i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default()
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(folder)?;
    let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| io::Error::other("no key can be made"))?;
    // Written whole beside, so that a crash leaves a key or none.
    let new = folder.join("checkpoint.key.new");
    std::fs::remove_file(&new).or_else(absent)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(key.as_ref())?;
    file.sync_all()?;
    std::fs::rename(&new, folder.join(FILE))?;
    File::open(folder)?.sync_all()
}

/// What was not there is gone.
pub(crate) fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
