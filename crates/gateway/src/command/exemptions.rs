//! `policy exemptions`: what ends, when, and whether anybody still uses it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use esbgate_config::{ExemptUser, ExemptionEnd, KeyEnd, Problem};
use esbgate_core::Clock as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    columns::columns,
    files::{POLICY, read},
    shape::Shape,
};
use crate::{SystemClock, sources::Sources};

/// What is asked for.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// The policy; else config/policy.yaml.
    #[arg(value_name = "POLICY")]
    policy: Option<PathBuf>,
    /// The folder of the journal, to say when each exemption was last used.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// What counts as expiring: ends within this many days, such as 30d.
    #[arg(long, value_name = "DAYS", default_value = "30d", value_parser = days)]
    within: SignedDuration,
    /// When it is asked, with zone; else now.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Tells when keys end, too.
    #[arg(long)]
    keys: bool,
    /// How it is told.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Shape,
}

fn days(text: &str) -> Result<SignedDuration, String> {
    let number = text.strip_suffix('d').and_then(|number| number.parse::<u16>().ok());
    let number = number.ok_or("expected a number of days such as 30d")?;
    Ok(SignedDuration::from_hours(i64::from(number) * 24))
}

pub(super) fn run(asked: &Asked) -> ExitCode {
    match listed(asked) {
        Ok(list) => {
            match asked.format {
                Shape::Text => print!("{}", list.table()),
                Shape::Json => println!("{}", list.object()),
            }
            ExitCode::SUCCESS
        }
        Err(problems) => {
            super::faulty(&problems);
            ExitCode::from(2)
        }
    }
}

/// How far something is from its end.
#[derive(Debug, Clone, Copy)]
struct Left {
    days: i64,
    state: &'static str,
}

impl Left {
    fn of(end: Timestamp, at: Timestamp, within: SignedDuration) -> Self {
        let left = end.duration_since(at);
        let state = if left <= SignedDuration::ZERO {
            "expired"
        } else if left <= within {
            "expiring"
        } else {
            "active"
        };
        Self { days: left.as_hours().div_euclid(24), state }
    }
}

/// When users were last named without a token.
struct Used {
    /// By application and user or pattern, as they are told; none where it is not on record.
    last: HashMap<String, Vec<(ExemptUser, Option<Timestamp>)>>,
    scan: esbgate_audit::Scan,
}

struct List {
    exemptions: Vec<(ExemptionEnd, Left)>,
    /// None where nobody asked.
    keys: Option<Vec<(KeyEnd, Option<Left>)>>,
    used: Option<Used>,
}

fn listed(asked: &Asked) -> Result<List, Vec<Problem>> {
    let policy = asked.policy.as_deref().unwrap_or(Path::new(POLICY));
    let document = read(policy)?;
    let now = SystemClock::start().now().wall;
    document.check_alone(&Sources, now)?;
    let at = asked.at.unwrap_or(now);
    let left = |end| Left::of(end, at, asked.within);
    let mut exemptions = document.exemptions();
    exemptions.sort_by_key(|one| one.expires);
    let used = asked.journal.as_deref().map(|dir| used(dir, &exemptions)).transpose()?;
    let exemptions = exemptions.into_iter().map(|one| {
        let left = left(one.expires);
        (one, left)
    });
    let exemptions = exemptions.collect();
    let keys = asked.keys.then(|| {
        let mut keys = document.keys();
        // What never ends comes last.
        keys.sort_by_key(|key| (key.expires.is_none(), key.expires));
        let keys = keys.into_iter().map(|key| {
            let left = key.expires.map(left);
            (key, left)
        });
        keys.collect()
    });
    Ok(List { exemptions, keys, used })
}

/// Reads the journal for the users that some exemption names; what it holds of others is passed over.
fn used(dir: &Path, exemptions: &[ExemptionEnd]) -> Result<Used, Vec<Problem>> {
    let mut last: HashMap<String, Vec<(ExemptUser, Option<Timestamp>)>> = HashMap::new();
    for one in exemptions {
        let users = one.users.iter().map(|user| (user.clone(), None));
        last.entry(one.app.clone()).or_default().extend(users);
    }
    let scan = esbgate_audit::intents(dir, |call| {
        let app = last.get_mut(&*call.app).filter(|_| call.user_proof == "exemption");
        let known = app.into_iter().flatten().filter(|(user, _)| user.names(&call.user));
        known.for_each(|(_, known)| *known = (*known).max(Some(call.time)));
    });
    let unreadable = |error: std::io::Error| {
        let name = dir.display().to_string();
        vec![Problem::of_file(&name, format!("the journal cannot be read: {error}"))]
    };
    Ok(Used { last, scan: scan.map_err(unreadable)? })
}

impl Used {
    fn last(&self, app: &str, user: &ExemptUser) -> Option<Timestamp> {
        self.last.get(app)?.iter().find(|(known, _)| known == user)?.1
    }

    /// When any of its users was last named.
    fn of(&self, one: &ExemptionEnd) -> Option<Timestamp> {
        one.users.iter().filter_map(|user| self.last(&one.app, user)).max()
    }

    /// Since when nobody of them was.
    fn told(&self, one: &ExemptionEnd) -> String {
        match (self.of(one), self.scan.since) {
            (Some(time), _) => day(time),
            (None, Some(since)) => format!("not since {}", day(since)),
            (None, None) => "no records".into(),
        }
    }
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

impl List {
    fn table(&self) -> String {
        let mut head = vec!["APP", "USERS", "OWNER", "TICKET", "EXPIRES", "DAYS", "STATE"];
        head.extend(self.used.as_ref().map(|_| "LAST USED"));
        head.push("REASON");
        let rows = self.exemptions.iter().map(|(one, left)| {
            let users: Vec<String> = one.users.iter().map(ToString::to_string).collect();
            let users = users.join(",");
            let (app, owner, ticket) = (one.app.clone(), one.owner.clone(), one.ticket.clone());
            let end = one.expires.to_string();
            let mut row =
                vec![app, users, owner, ticket, end, left.days.to_string(), left.state.into()];
            row.extend(self.used.as_ref().map(|used| used.told(one)));
            row.push(one.reason.clone());
            row
        });
        let mut out = columns(&head, rows.collect());
        if let Some(keys) = &self.keys {
            let rows = keys.iter().map(|(key, left)| {
                let end = key.expires.map_or("never".into(), |end| end.to_string());
                let days = left.map_or(String::new(), |left| left.days.to_string());
                let state = left.map_or("active", |left| left.state);
                vec![key.app.clone(), key.number.to_string(), end, days, state.into()]
            });
            out += "\n";
            out += &columns(&["APP", "KEY", "EXPIRES", "DAYS", "STATE"], rows.collect());
        }
        if let Some(Used { scan, .. }) = &self.used
            && scan.unreadable > 0
        {
            out += &format!("note: {} line(s) of the journal are no records\n", scan.unreadable);
        }
        out
    }

    fn object(&self) -> Value {
        let exemptions = self.exemptions.iter().map(|(one, left)| {
            let used = self.used.as_ref();
            let users = one.users.iter().map(|user| {
                let last = used.and_then(|used| used.last(&one.app, user));
                json!({"user": user.to_string(), "last_used": last.map(|time| time.to_string())})
            });
            json!({
                "app": one.app,
                "users": users.collect::<Vec<_>>(),
                "owner": one.owner,
                "ticket": one.ticket,
                "reason": one.reason,
                "expires": one.expires.to_string(),
                "days_left": left.days,
                "state": left.state,
                "line": one.line,
                "last_used": used.and_then(|used| used.of(one)).map(|time| time.to_string()),
            })
        });
        let keys = self.keys.as_ref().map(|keys| {
            let keys = keys.iter().map(|(key, left)| {
                json!({
                    "app": key.app,
                    "key": key.number,
                    "expires": key.expires.map(|end| end.to_string()),
                    "days_left": left.map(|left| left.days),
                    "state": left.map_or("active", |left| left.state),
                    "line": key.line,
                })
            });
            keys.collect::<Vec<_>>()
        });
        let journal = self.used.as_ref().map(|Used { scan, .. }| {
            let since = scan.since.map(|since| since.to_string());
            json!({"since": since, "intents": scan.intents, "unreadable": scan.unreadable})
        });
        json!({"exemptions": exemptions.collect::<Vec<_>>(), "keys": keys, "journal": journal})
    }
}
