//! Calls by what they were: who, where, what, when, and what came of it. Newest first.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    io,
    net::Ipv4Addr,
    str::FromStr,
    sync::Arc,
};

use ipnet::Ipv4Net;
use jiff::Timestamp;
use memchr::memmem;

use crate::{
    call::{Asked, Call, Came, HMAC, Hosts, Members},
    index::{Block, Index, Section, key_of_id, term},
    journal::{Journal, Segment, SegmentId},
    record::Head,
};

/// Blocks that are kept while outcomes are looked for in them.
const KEPT: usize = 4;

/// A host as somebody asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// All addresses of a network, in any cloud area.
    Network(Ipv4Net),
    /// A host id.
    Id(i64),
}

impl FromStr for Host {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network = text.parse::<Ipv4Net>().ok();
        let address = || text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from);
        let id = || text.parse().ok().map(Self::Id);
        network
            .or_else(address)
            .map(Self::Network)
            .or_else(id)
            .ok_or("expected an IPv4 address, a network such as 10.0.0.0/8, or a host id")
    }
}

/// What is asked for; a call must match all of it.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The application.
    pub app: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// One of the hosts.
    pub host: Option<Host>,
    /// The id of the business, business set or tenant set.
    pub business: Option<i64>,
    /// JOB's `job_instance_id`.
    pub job: Option<i64>,
    /// The SHA-256 of the script's content, in lower hexadecimal digits.
    pub script_sha: Option<String>,
    /// `success`, `failed`, `unknown`, `unavailable`, or `open` where none is on record.
    pub outcome: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// One of these keyed hashes of a value, in lower hexadecimal digits; empty where none is asked for.
    pub hmacs: Vec<String>,
    /// The intent's time, from this on.
    pub since: Option<Timestamp>,
    /// The intent's time, before this.
    pub until: Option<Timestamp>,
    /// Most calls that are given.
    pub limit: Option<usize>,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Calls that were given.
    pub calls: usize,
    /// Calls that match but for the host, of which it cannot be told: their list of hosts is a hash, or they aim at
    /// groups or topology nodes.
    pub untold: usize,
    /// There may be older ones: the limit was reached.
    pub more: bool,
}

impl Query {
    /// What must be indexed for a call that matches, but for the host and what the outcome says.
    fn terms(&self) -> Vec<u64> {
        let text = |field, value: &Option<String>| value.as_ref().map(|value| term(field, value));
        let business = self.business.map(|business| term("business", &business.to_string()));
        let all = [
            text("app", &self.app),
            text("user", &self.user),
            text("script_sha", &self.script_sha),
            text("request_id", &self.request_id),
            business,
        ];
        all.into_iter().flatten().collect()
    }

    fn in_time(&self, block: &Block) -> bool {
        let reached = |since: &Timestamp| block.until >= since.as_microsecond();
        let before = |until: &Timestamp| block.since <= until.as_microsecond();
        self.since.as_ref().is_none_or(reached) && self.until.as_ref().is_none_or(before)
    }

    /// The blocks in which such calls may stand.
    fn blocks(&self, segment: &Segment, index: &Index) -> io::Result<BTreeSet<u32>> {
        let all = index.blocks().iter().enumerate();
        let in_time = all.filter(|(_, block)| self.in_time(block));
        let mut blocks: BTreeSet<u32> =
            in_time.filter_map(|(n, _)| u32::try_from(n).ok()).collect();
        let mut keep = |found: BTreeSet<u32>| blocks.retain(|block| found.contains(block));
        for key in self.terms() {
            keep(index.find(segment, Section::Terms, key, key)?);
        }
        if !self.hmacs.is_empty() {
            let mut found = BTreeSet::new();
            for hmac in &self.hmacs {
                let key = term(HMAC, hmac);
                found.extend(index.find(segment, Section::Terms, key, key)?);
            }
            keep(found);
        }
        if let Some(host) = self.host {
            let untold = term("hosts", "untold");
            let mut found = match host {
                Host::Network(net) => index.find(
                    segment,
                    Section::Addresses,
                    u32::from(net.network()).into(),
                    u32::from(net.broadcast()).into(),
                )?,
                Host::Id(id) => {
                    index.find(segment, Section::HostIds, key_of_id(id), key_of_id(id))?
                }
            };
            found.extend(index.find(segment, Section::Terms, untold, untold)?);
            found.extend(index.every_host());
            keep(found);
        }
        let job = self.job.map(|job| term("job", &job.to_string()));
        let outcome = self.outcome.as_ref().map(|outcome| term("outcome", outcome));
        for key in [job, outcome].into_iter().flatten() {
            // Where an intent was open at the end of its segment, the outcome is not known there.
            let open = term("outcome", "");
            let mut found = index.find(segment, Section::Terms, key, key)?;
            found.extend(index.find(segment, Section::Terms, open, open)?);
            keep(found);
        }
        Ok(blocks)
    }

    /// Whether an intent matches; none where all does but for its hosts, which are not told.
    fn matches(&self, head: &Head<'_>, asked: &Asked<'_>) -> Option<bool> {
        let mut due = self.terms();
        let mut carried = self.hmacs.is_empty();
        asked.terms(|field, value| {
            let key = term(field, value);
            due.retain(|term| *term != key);
            carried |= field == HMAC && self.hmacs.iter().any(|hmac| hmac == value);
        });
        let time: Option<Timestamp> = head.time.parse().ok();
        let since = self.since.is_none_or(|since| time.is_none_or(|time| time >= since));
        let until = self.until.is_none_or(|until| time.is_none_or(|time| time < until));
        if !due.is_empty() || !carried || !since || !until {
            return Some(false);
        }
        let Some(host) = self.host else { return Some(true) };
        let (addresses, ids) = asked.named();
        let named = match host {
            Host::Network(net) => addresses.iter().any(|address| net.contains(address)),
            Host::Id(id) => ids.contains(&id),
        };
        match asked.hosts() {
            _ if named => Some(true),
            Hosts::Told { .. } => Some(false),
            Hosts::Untold => None,
        }
    }

    fn came(&self, call: &Call) -> bool {
        let outcome = self.outcome.as_ref().is_none_or(|outcome| outcome == call.outcome());
        let job =
            |job| call.came("job_instance_id").and_then(serde_json::Value::as_i64) == Some(job);
        outcome && self.job.is_none_or(job)
    }
}

/// Shows the calls that match, newest first, until there are enough. `note` is told of each index that had to be made,
/// and why.
///
/// # Errors
/// What the system says, what is wrong with a segment, and what `see` says.
pub fn query(
    journal: &Journal,
    query: &Query,
    note: &mut dyn FnMut(&SegmentId, &io::Error),
    see: &mut dyn FnMut(&Call) -> io::Result<()>,
) -> io::Result<Tally> {
    let mut search = Search { query, late: HashMap::new(), kept: VecDeque::new() };
    let mut tally = Tally::default();
    let segments = journal.segments()?;
    let newest = segments.last().map(|segment| segment.id().clone());
    for segment in segments.into_iter().rev() {
        let (index, made) = match Index::of(&segment) {
            // Retention took it meanwhile.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        // The one that is written to has none yet.
        if let Some(fault) = made.filter(|_| Some(segment.id()) != newest.as_ref()) {
            note(segment.id(), &fault);
        }
        let here = Arc::new((segment, index));
        tally.more = search.segment(&here, &mut tally, see)?;
        if here.1.is_damaged() {
            let text = "a page of the index is damaged";
            note(here.0.id(), &io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if tally.more {
            break;
        }
    }
    Ok(tally)
}

type Indexed = Arc<(Segment, Index)>;

struct Search<'q> {
    query: &'q Query,
    /// Outcomes whose intents stand in an earlier segment.
    late: HashMap<u64, (Indexed, u32)>,
    kept: VecDeque<(SegmentId, u32, Arc<Vec<u8>>)>,
}

impl Search<'_> {
    /// Looks through a segment. True where there is enough.
    fn segment(
        &mut self,
        here: &Indexed,
        tally: &mut Tally,
        see: &mut dyn FnMut(&Call) -> io::Result<()>,
    ) -> io::Result<bool> {
        let (segment, index) = &**here;
        for number in self.query.blocks(segment, index)?.into_iter().rev() {
            let bytes = self.block(here, number)?;
            let lines = bytes.split(|&byte| byte == b'\n').rev();
            for line in lines {
                let Some(head) = Head::read(line).filter(|head| head.kind == "intent") else {
                    continue;
                };
                let Ok(asked) = serde_json::from_slice::<Asked<'_>>(line) else { continue };
                let matches = self.query.matches(&head, &asked);
                if matches == Some(false) {
                    continue;
                }
                let outcome = self.outcome(here, head.seq)?;
                let Ok(intent) = serde_json::from_slice::<Members>(line) else { continue };
                let call = Call { intent, outcome };
                if !self.query.came(&call) {
                    continue;
                }
                if matches.is_none() {
                    tally.untold += 1;
                    continue;
                }
                if self.query.limit.is_some_and(|limit| tally.calls >= limit) {
                    return Ok(true);
                }
                tally.calls += 1;
                see(&call)?;
            }
        }
        let first = index.first_seq();
        if first > 0 {
            for (intent, block) in index.entries(segment, Section::Outcomes, 0, first - 1)? {
                self.late.insert(intent, (here.clone(), block));
            }
        }
        Ok(false)
    }

    fn outcome(&mut self, here: &Indexed, intent: u64) -> io::Result<Option<Members>> {
        let own = here.1.find(&here.0, Section::Outcomes, intent, intent)?.pop_first();
        let found = own.map(|block| (here.clone(), block));
        let Some((at, block)) = found.or_else(|| self.late.get(&intent).cloned()) else {
            return Ok(None);
        };
        let bytes = self.block(&at, block)?;
        // As the writer puts it: most lines need not be read.
        let named = format!(",\"intent\":{intent},");
        for line in bytes.split(|&byte| byte == b'\n') {
            let named = memmem::find(line, named.as_bytes()).is_some();
            if !named || Head::read(line).is_none_or(|head| head.kind != "outcome") {
                continue;
            }
            let came = serde_json::from_slice::<Came<'_>>(line).ok();
            if came.is_some_and(|came| came.intent == Some(intent)) {
                return Ok(serde_json::from_slice(line).ok());
            }
        }
        Ok(None)
    }

    fn block(&mut self, at: &Indexed, number: u32) -> io::Result<Arc<Vec<u8>>> {
        let (segment, index) = &**at;
        let known = |(id, block, _): &&(SegmentId, u32, Arc<Vec<u8>>)| {
            id == segment.id() && *block == number
        };
        if let Some((_, _, bytes)) = self.kept.iter().find(known) {
            return Ok(bytes.clone());
        }
        let place = usize::try_from(number).ok().and_then(|number| index.blocks().get(number));
        let Some(block) = place else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the index names no such block",
            ));
        };
        let bytes = Arc::new(index.read(segment, block)?);
        self.kept.truncate(KEPT - 1);
        self.kept.push_front((segment.id().clone(), number, bytes.clone()));
        Ok(bytes)
    }
}
