//! The shape of the hours of a rule, and of lists of holidays.

use serde::Deserialize;

use super::spec;
#[cfg(test)]
use crate::form;
use crate::{node::Spanned, units::ListOrAny};

spec! {
    /// When a rule holds, by the arrival of the call. The clock on the wall of `zone` decides: an hour that it skips
    /// does not come, one that it shows twice counts both times.
    HoursSpec {
        /// Days of the week, at least one.
        #[cfg_attr(test, schemars(with = "ListOrAny<form::Weekday>"))]
        #[serde(default)] days: ListOrAny<Spanned<String>>,
        /// The first minute, from `"00:00"` to `"23:59"`.
        #[cfg_attr(test, schemars(with = "form::Clock"))]
        from: Spanned<String>,
        /// The first minute that is outside again, up to `"24:00"`. Before `from` it is one of the next day, and the
        /// whole span belongs to the day on which it begins.
        #[cfg_attr(test, schemars(with = "form::Clock"))]
        to: Spanned<String>,
        /// A name of the IANA time zone database, such as `Asia/Shanghai`. The gateway brings the database.
        #[cfg_attr(test, schemars(with = "form::Zone"))]
        zone: Spanned<String>,
        /// A name of the policy's `holidays`; without it weekdays alone decide.
        holidays: Option<Spanned<String>>,
    }
}
spec! {
    /// Days that are not what their weekday says, written `"2027-01-01"`.
    HolidaysSpec {
        /// Days off: no span begins on them.
        #[cfg_attr(test, schemars(with = "Vec<form::Day>"))]
        #[serde(default)] off: Vec<Spanned<String>>,
        /// Make-up working days: spans begin on them whatever the weekday.
        #[cfg_attr(test, schemars(with = "Vec<form::Day>"))]
        #[serde(default)] work: Vec<Spanned<String>>,
    }
}
