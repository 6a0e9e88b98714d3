//! Ends of keys and exemptions. A date never stops a load, for a restart at night must not fail on one: it warns
//! before and after.

use jiff::{SignedDuration, Timestamp};

use crate::{node::Spanned, problem::Faults};

/// How long before an end it is told.
pub(crate) const NEAR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Reads the first refused instant.
pub(crate) fn end(
    text: &Spanned<String>,
    path: &str,
    now: Timestamp,
    faults: &mut Faults<'_>,
) -> Option<Timestamp> {
    let Ok(end) = text.value.parse::<Timestamp>() else {
        let hint = Some("write it with its zone, such as 2027-06-30T00:00+08:00".into());
        faults.hinted(text, path, "expires is no instant with a zone", hint);
        return None;
    };
    let left = end.duration_since(now);
    if left <= SignedDuration::ZERO {
        faults.warn(text, path, "it has expired");
    } else if left <= NEAR {
        faults.warn(text, path, format!("it expires in {} day(s)", left.as_hours() / 24));
    }
    Some(end)
}
