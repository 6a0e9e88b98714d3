//! When a rule holds: spans of hours on days of a week, read off the clock on the wall of a time zone.
//!
//! A rule holds at an instant if the wall clock shows a time inside one of its spans. So an hour that the clock
//! skips does not come, a span that begins in it begins when the clock has jumped, and an hour that the clock shows
//! twice counts both times. A span that ends on the next day belongs to the day on which it begins.

use std::{fmt, sync::Arc};

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};

/// How far ahead the next hours are looked for, in days.
const HORIZON: i32 = 366;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// Days that are not what their weekday says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holidays {
    off: Box<[Date]>,
    work: Box<[Date]>,
}

impl Holidays {
    /// Days on which no rule holds, and days on which it holds whatever the weekday.
    #[must_use]
    pub fn new(mut off: Vec<Date>, mut work: Vec<Date>) -> Self {
        off.sort_unstable();
        work.sort_unstable();
        Self { off: off.into(), work: work.into() }
    }

    fn is_off(&self, day: Date) -> bool {
        self.off.binary_search(&day).is_ok()
    }

    fn is_work(&self, day: Date) -> bool {
        self.work.binary_search(&day).is_ok()
    }
}

/// The hours of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// By days since Monday.
    days: [bool; 7],
    /// Minutes since midnight; `until` may be [`DAY`], and is over it where the span ends on the next day.
    from: u16,
    until: u16,
    zone: TimeZone,
    holidays: Option<Arc<Holidays>>,
}

impl Hours {
    /// Spans from `from` until before `to`, in minutes since midnight. Over midnight if `to` is not after `from`.
    #[must_use]
    pub fn new(
        days: &[Weekday],
        (from, to): (u16, u16),
        zone: TimeZone,
        holidays: Option<Arc<Holidays>>,
    ) -> Self {
        let mut week = [false; 7];
        for (name, on) in WEEK.iter().zip(&mut week) {
            *on = days.contains(name);
        }
        let until = if to > from { to } else { to.saturating_add(DAY) };
        Self { days: week, from, until, zone, holidays }
    }

    /// Whether the rule never holds without one of the hours `outer`, as far as days and times of one clock show it.
    #[must_use]
    pub fn within(&self, outer: &Self) -> bool {
        let days = self.days.iter().zip(&outer.days).all(|(own, outer)| !own || *outer);
        let clock = self.zone == outer.zone && self.holidays == outer.holidays;
        clock && days && outer.from <= self.from && self.until <= outer.until
    }

    /// Whether the rule holds.
    #[must_use]
    pub fn hold(&self, at: Timestamp) -> bool {
        let shown = self.zone.to_datetime(at);
        let (today, minute) = (shown.date(), minute(shown));
        if self.spans(minute) && self.counts(today) {
            return true;
        }
        // What began yesterday.
        self.spans(minute.saturating_add(DAY))
            && today.yesterday().is_ok_and(|yesterday| self.counts(yesterday))
    }

    /// When the rule holds next; none if not within a year. Only where it does not hold at `at`.
    #[must_use]
    pub fn next(&self, at: Timestamp) -> Option<Timestamp> {
        self.next_until(at, at.checked_add((HORIZON * 24).hours()).ok()?)
    }

    /// The same, if it is not after `end`. Takes a step for each day.
    pub(crate) fn next_until(&self, at: Timestamp, end: Timestamp) -> Option<Timestamp> {
        let [today, last] = [at, end].map(|one| self.zone.to_datetime(one).date());
        // A span begins where the clock shows its first minute, or where the clock jumps into it.
        let days = (-1..=HORIZON).filter_map(|ahead| today.checked_add(ahead.days()).ok());
        let days = days.take_while(|day| *day <= last).filter(|day| self.counts(*day));
        let usual = days.flat_map(|day| self.begins(day)).flatten().find(|begin| {
            let soon = at < *begin && *begin <= end;
            soon && self.hold(*begin)
        });
        let jumps = self.zone.following(at).map(|jump| jump.timestamp());
        let jump =
            jumps.take_while(|jump| *jump <= usual.unwrap_or(end)).find(|jump| self.hold(*jump));
        jump.or(usual)
    }

    /// An instant as the rule's own clock shows it.
    #[must_use]
    pub fn shown(&self, at: Timestamp) -> String {
        let shown = self.zone.to_datetime(at).strftime("%Y-%m-%d %H:%M");
        format!("{shown} {}", self.zone.iana_name().unwrap_or("UTC"))
    }

    /// The instants at which the clock shows the first minute on `day`: twice the same one on most days.
    fn begins(&self, day: Date) -> Option<[Timestamp; 2]> {
        let (hour, minute) =
            (i8::try_from(self.from / 60).ok()?, i8::try_from(self.from % 60).ok()?);
        let shown = day.to_datetime(Time::new(hour, minute, 0, 0).ok()?);
        let shown = self.zone.to_ambiguous_timestamp(shown);
        Some([shown.earlier().ok()?, shown.later().ok()?])
    }

    fn spans(&self, minute: u16) -> bool {
        (self.from..self.until).contains(&minute)
    }

    fn counts(&self, day: Date) -> bool {
        let holidays = self.holidays.as_deref();
        if holidays.is_some_and(|days| days.is_off(day)) {
            return false;
        }
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset());
        let usual = weekday.ok().and_then(|index| self.days.get(index)).copied();
        usual.unwrap_or_default() || holidays.is_some_and(|days| days.is_work(day))
    }
}

/// As the policy says them: `mon,tue 09:00-19:00 Asia/Shanghai`, and `with holidays` where a list counts.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let days = NAMES.iter().zip(self.days).filter(|(_, on)| *on).map(|(name, _)| *name);
        let to = if self.until > DAY { self.until - DAY } else { self.until };
        let [from, to] = [self.from, to].map(|minute| (minute / 60, minute % 60));
        write!(f, "{} ", days.collect::<Vec<_>>().join(","))?;
        write!(f, "{:02}:{:02}-{:02}:{:02} ", from.0, from.1, to.0, to.1)?;
        f.write_str(self.zone.iana_name().unwrap_or("UTC"))?;
        f.write_str(if self.holidays.is_some() { " with holidays" } else { "" })
    }
}

/// From Monday.
const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

fn minute(shown: DateTime) -> u16 {
    let (hour, minute) = (u16::try_from(shown.hour()), u16::try_from(shown.minute()));
    hour.unwrap_or_default().saturating_mul(60).saturating_add(minute.unwrap_or_default())
}

#[cfg(test)]
mod tests;
