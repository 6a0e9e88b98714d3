//! The wall clock as the stand-in writes it: milliseconds, JOB's name stamp and HTTP's date.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the stand-in is the far side: it has its own clock")]
pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

struct Civil {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    second_of_day: i64,
}

/// Days to date after Howard Hinnant's `civil_from_days`.
fn civil(millis: i64) -> Civil {
    let seconds = millis.div_euclid(1000);
    let days = seconds.div_euclid(86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month: usize::try_from(month).unwrap_or(1),
        day: of_year - (153 * shifted_month + 2) / 5 + 1,
        weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
        second_of_day: seconds.rem_euclid(86_400),
    }
}

/// `yyyyMMddHHmmssSSS` in UTC, the tail of JOB's default task name.
pub(crate) fn stamp(millis: i64) -> String {
    let at = civil(millis);
    let (hour, minute, second) = clock_of(at.second_of_day);
    let fraction = millis.rem_euclid(1000);
    format!(
        "{:04}{:02}{:02}{hour:02}{minute:02}{second:02}{fraction:03}",
        at.year, at.month, at.day
    )
}

/// RFC 9110 §5.6.7, the preferred form.
pub(crate) fn http_date(millis: i64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = civil(millis);
    let (hour, minute, second) = clock_of(at.second_of_day);
    let day = DAYS.get(at.weekday).copied().unwrap_or_default();
    let month = MONTHS.get(at.month.saturating_sub(1)).copied().unwrap_or_default();
    format!("{day}, {:02} {month} {:04} {hour:02}:{minute:02}:{second:02} GMT", at.day, at.year)
}

fn clock_of(second_of_day: i64) -> (i64, i64, i64) {
    (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(stamp(1_709_210_096_007), "20240229123456007");
        assert_eq!(stamp(0), "19700101000000000");
    }
}
