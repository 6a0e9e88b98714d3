//! The shape of the hours of a rule, and of lists of holidays.

use serde::Deserialize;

use super::spec;
use crate::{node::Spanned, units::ListOrAny};

spec! {
    /// When a rule holds, by the arrival of the call. The clock on the wall of `zone` decides: an hour that it skips
    /// does not come, one that it shows twice counts both times.
    HoursSpec {
        /// Days of the week: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`, or `any`. Required.
        #[serde(default)] days: ListOrAny<Spanned<String>>,
        /// The first minute, from `"00:00"` to `"23:59"`. Required.
        from: Spanned<String>,
        /// The first minute that is outside again, up to `"24:00"`. Before `from` it is one of the next day, and the
        /// whole span belongs to the day on which it begins. Required.
        to: Spanned<String>,
        /// A name of the IANA time zone database, such as `Asia/Shanghai`. The gateway brings the database. Required.
        zone: Spanned<String>,
        /// A name of the policy's `holidays`. Default: none, weekdays alone decide.
        holidays: Option<Spanned<String>>,
    }
}
spec! {
    /// Days that are not what their weekday says, written `"2027-01-01"`.
    HolidaysSpec {
        /// Days off: no span begins on them. Default: none.
        #[serde(default)] off: Vec<Spanned<String>>,
        /// Make-up working days: spans begin on them whatever the weekday. Default: none.
        #[serde(default)] work: Vec<Spanned<String>>,
    }
}
