//! What of a record is indexed, and under which key.

use esbgate_model::sha256;

use super::pages::checksum;

/// The key of a field's value. Two values of one key cost a look at a block, and nothing else.
pub(crate) fn term(field: &str, value: &str) -> u64 {
    let text = [field.as_bytes(), b"\0", value.as_bytes()].concat();
    u64::from_le_bytes(checksum(&sha256(&text)))
}
