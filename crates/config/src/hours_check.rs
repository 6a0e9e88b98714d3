//! Checks of the hours of a rule and of the lists of holidays: zones and lists that are known, dates and times that
//! are, hours that come.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use esbgate_core::{Holidays, Hours};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Weekday},
    tz::{Offset, TimeZone, TimeZoneDatabase},
};

use crate::{
    node::Spanned,
    policy_spec::{HolidaysSpec, HoursSpec},
    problem::{Faults, named, nearest},
    term::NEAR,
    units::ListOrAny,
};

/// What hours are read against: the zones of our own database, whatever the machine has, and the policy's holidays.
pub(crate) struct Calendar {
    zones: TimeZoneDatabase,
    /// None where a list is known and wrong.
    holidays: BTreeMap<Box<str>, Option<Arc<Holidays>>>,
    now: Timestamp,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Calendar {
    /// Compiles the lists; what is wrong is in `faults`.
    pub(crate) fn new(
        lists: &BTreeMap<String, Option<Spanned<HolidaysSpec>>>,
        now: Timestamp,
        faults: &mut Faults<'_>,
    ) -> Self {
        let list = |(name, spec): (&String, &Option<Spanned<HolidaysSpec>>)| {
            let list = spec.as_ref().and_then(|spec| holidays(name, spec, now, faults));
            (name.as_str().into(), list.map(Arc::new))
        };
        let holidays = lists.iter().map(list).collect();
        Self { zones: TimeZoneDatabase::bundled(), holidays, now }
    }

    /// Compiles the hours of a rule.
    pub(crate) fn hours(
        &self,
        spec: &Spanned<HoursSpec>,
        path: &str,
        faults: &mut Faults<'_>,
    ) -> Option<Hours> {
        let said = &spec.value;
        let days = days(spec, path, faults);
        let from = time(&said.from, path, faults).filter(|from| *from < 24 * 60);
        if said.from.value == "24:00" {
            faults.add(&said.from, path, "from is 00:00 to 23:59");
        }
        let to = time(&said.to, path, faults);
        if from.is_some() && from == to {
            let hint = Some("a whole day is from \"00:00\" to \"24:00\"".into());
            faults.hinted(&said.to, path, "from and to are the same", hint);
        }
        let zone = self.zone(&said.zone, path, faults);
        let holidays = match &said.holidays {
            Some(name) => self.list(name, path, faults)?,
            None => None,
        };
        let hours = Hours::new(&days?, (from?, to?), zone?, holidays);
        if !hours.hold(self.now) && hours.next(self.now).is_none() {
            faults.warn(spec, path, "the rule does not hold within the coming year");
        }
        Some(hours)
    }

    fn zone(
        &self,
        name: &Spanned<String>,
        path: &str,
        faults: &mut Faults<'_>,
    ) -> Option<TimeZone> {
        let found = self.zones.get(&name.value).ok().filter(|zone| !zone.is_unknown());
        if found.is_none() {
            let known: Vec<_> = self.zones.available().collect();
            let hint = nearest(&name.value, known.iter().map(|name| name.as_str()));
            let hint = hint.or_else(|| {
                Some("write a name of the IANA database, such as Asia/Shanghai".into())
            });
            faults.hinted(name, path, "unknown time zone", hint);
        }
        found
    }

    /// The outer None is a fault.
    fn list(
        &self,
        name: &Spanned<String>,
        path: &str,
        faults: &mut Faults<'_>,
    ) -> Option<Option<Arc<Holidays>>> {
        if let Some(list) = self.holidays.get(name.value.as_str()) {
            return Some(list.clone());
        }
        let hint = nearest(&name.value, self.holidays.keys().map(|name| &**name));
        faults.hinted(name, path, "unknown list of holidays", hint);
        None
    }
}

fn days(spec: &Spanned<HoursSpec>, path: &str, faults: &mut Faults<'_>) -> Option<Vec<Weekday>> {
    let names = match &spec.value.days {
        ListOrAny::Any => return Some(DAYS.map(|(_, day)| day).into()),
        ListOrAny::List(names) => names,
    };
    if names.is_empty() {
        let hint = Some("name the days, or write any".into());
        faults.hinted(spec, path, "this rule can never match: its hours name no day", hint);
        return None;
    }
    let day = |name: &Spanned<String>| {
        let found = DAYS.iter().find(|(known, _)| *known == name.value).map(|(_, day)| *day);
        if found.is_none() {
            let hint = "write mon, tue, wed, thu, fri, sat or sun";
            faults.hinted(name, path, "unknown day", Some(hint.into()));
        }
        found
    };
    Some(names.iter().filter_map(day).collect())
}

/// Minutes since midnight.
fn time(text: &Spanned<String>, path: &str, faults: &mut Faults<'_>) -> Option<u16> {
    let digits = |two: &str| -> Option<u16> {
        two.bytes().all(|byte| byte.is_ascii_digit()).then(|| two.parse().ok())?
    };
    let read = || {
        let (hour, minute) =
            text.value.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
        let (hour, minute) = (digits(hour)?, digits(minute)?);
        let minutes = hour * 60 + minute;
        (minute < 60 && minutes <= 24 * 60).then_some(minutes)
    };
    let minutes = read();
    if minutes.is_none() {
        let hint = Some("write hours and minutes in quotes, such as \"09:00\"".into());
        faults.hinted(text, path, "expected a time from 00:00 to 24:00", hint);
    }
    minutes
}

fn holidays(
    name: &str,
    spec: &Spanned<HolidaysSpec>,
    now: Timestamp,
    faults: &mut Faults<'_>,
) -> Option<Holidays> {
    let path = format!("holidays.{}", named(name));
    let said = &spec.value;
    let mut seen = BTreeSet::new();
    let mut dates = |list: &[Spanned<String>]| -> Vec<Date> {
        let read = |text: &Spanned<String>| {
            let day = date(text, &path, faults)?;
            if !seen.insert(day) {
                faults.add(text, &path, "this day stands in the list already");
            }
            Some(day)
        };
        list.iter().filter_map(read).collect()
    };
    let (off, work) = (dates(&said.off), dates(&said.work));
    if said.off.is_empty() && said.work.is_empty() {
        faults.add(spec, &path, "the list of holidays names no day");
    }
    let today = Offset::UTC.to_datetime(now).date();
    let left = seen.last().map(|last| last.duration_since(today));
    if left.is_some_and(|left| left < SignedDuration::ZERO) {
        faults.warn(spec, &path, "the last day of this list is past: add those to come");
    } else if let Some(left) = left.filter(|left| *left <= NEAR) {
        let days = left.as_hours() / 24;
        faults.warn(
            spec,
            &path,
            format!("the last day of this list is in {days} day(s): add those to come"),
        );
    }
    Some(Holidays::new(off, work))
}

fn date(text: &Spanned<String>, path: &str, faults: &mut Faults<'_>) -> Option<Date> {
    // The one spelling of ISO 8601; more is read by jiff.
    let plain = text.value.len() == 10;
    let day = text.value.parse::<Date>().ok().filter(|_| plain);
    if day.is_none() {
        let hint = Some("write a day as \"2027-01-01\"".into());
        faults.hinted(text, path, "expected a date", hint);
    }
    day
}
