//! Checks of sinks: each has one target, names what it can, and nothing leaves the machine in clear unless somebody says
//! why.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::Path,
    time::Duration,
};

use esbgate_model::Secret;

use crate::{
    listen_check::socket_file,
    lookup::{Lookup, beside, secret, text},
    node::Spanned,
    problem::{Faults, nearest},
    sink::{PeerTls, Sink, SinkAddress, SinkFile, SinkPostgres, SinkSyslog, SinkTarget},
    sink_spec::{
        ConfirmSpec, FacilitySpec, PeerTlsSpec, SinkFileSpec, SinkPostgresSpec, SinkSpec,
        SinkSyslogSpec,
    },
};

/// The kinds of records that there are.
const KINDS: [&str; 15] = [
    "start",
    "stop",
    "intent",
    "created",
    "outcome",
    "refusal",
    "reload",
    "admin",
    "shadow",
    "lookup",
    "loss",
    "repair",
    "retention",
    "checkpoint",
    "shadow",
];
/// Those of a call.
const CALL: [&str; 2] = ["intent", "outcome"];

/// The documentation's own number (RFC 5612).
const ENTERPRISE: u32 = 32_473;

const LEAST_ROTATION: u64 = 1 << 20;
const MOST_KEPT: u32 = 1_000;
const LONGEST_NAME: usize = 64;
/// Identifiers of PostgreSQL have 63 bytes, and indexes are named after the table.
const LONGEST_TABLE: usize = 55;

/// Says what is wrong with the name of a table.
///
/// # Errors
/// Where a statement would need quotes around it, or an index would have too long a name.
pub fn check_table(name: &str) -> Result<(), &'static str> {
    let fits = |part: &str| {
        let first = part.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        first && part.len() <= LONGEST_TABLE && part.bytes().all(known)
    };
    if name.split('.').count() <= 2 && name.split('.').all(fits) {
        return Ok(());
    }
    Err(
        "a table is a name of a-z 0-9 _, of at most 55 characters, with its schema before a dot if it has one",
    )
}

/// Compiles the sinks; what is wrong is in `faults`. `journal` is the journal's folder.
pub(crate) fn sinks(
    specs: &BTreeMap<String, Spanned<SinkSpec>>,
    journal: &str,
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Vec<Sink> {
    let mut sinks: Vec<Sink> = Vec::with_capacity(specs.len());
    for (name, spec) in specs {
        let path = format!("sinks.{}", crate::problem::named(name));
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(known) {
            faults.add(spec, &path, "the name of a sink is 1 to 64 of a-z 0-9 -");
        }
        let Some(sink) = sink(name, spec, &path, journal, port, faults) else { continue };
        let file = |sink: &Sink| match &sink.target {
            SinkTarget::File(file) | SinkTarget::BkAudit(file) => Some(file.path.clone()),
            SinkTarget::Syslog(_) | SinkTarget::Postgres(_) => None,
        };
        let own = file(&sink);
        if let Some(other) = sinks.iter().find(|other| own.is_some() && file(other) == own) {
            faults.add(spec, &path, format!("the sink {} writes this file", other.name));
        }
        sinks.push(sink);
    }
    sinks
}

fn sink(
    name: &str,
    at: &Spanned<SinkSpec>,
    path: &str,
    journal: &str,
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Option<Sink> {
    let spec = &at.value;
    let of_calls = spec.bk_audit.is_some();
    let kinds = kinds(spec.kinds.as_ref(), of_calls, path, faults);
    let timeout = spec.timeout.as_ref().map_or(Duration::from_secs(10), |span| {
        if span.value.0.is_zero() {
            faults.add(span, path, "without time nothing is delivered");
        }
        span.value.0
    });
    let target = match (&spec.file, &spec.bk_audit, &spec.syslog, &spec.postgres) {
        (Some(said), None, None, None) => SinkTarget::File(file(said, path, journal, faults)?),
        (None, Some(said), None, None) => SinkTarget::BkAudit(file(said, path, journal, faults)?),
        (None, None, Some(said), None) => SinkTarget::Syslog(syslog(said, path, port, faults)?),
        (None, None, None, Some(said)) => SinkTarget::Postgres(postgres(said, path, port, faults)?),
        _ => {
            let hint = Some("such as file: {path: /var/log/esbgate/audit.jsonl}".into());
            let message = "name exactly one of file, bk_audit, syslog and postgres";
            faults.hinted(at, path, message, hint);
            return None;
        }
    };
    Some(Sink { name: name.into(), kinds, timeout, target })
}

fn kinds(
    said: Option<&Spanned<Vec<Spanned<String>>>>,
    of_calls: bool,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<BTreeSet<Box<str>>> {
    let Some(said) = said else { return of_calls.then(|| CALL.map(Into::into).into()) };
    if said.value.is_empty() {
        faults.add(said, path, "a sink of no kind gets nothing; without kinds it gets all");
    }
    let mut kinds = BTreeSet::new();
    for kind in &said.value {
        if !KINDS.contains(&kind.value.as_str()) {
            let hint = nearest(&kind.value, KINDS.into_iter());
            faults.hinted(kind, path, "unknown kind of record", hint);
        } else if of_calls && !CALL.contains(&kind.value.as_str()) && kind.value != "refusal" {
            faults.add(kind, path, "an event is made of intent and outcome, or of a refusal");
        }
        kinds.insert(kind.value.as_str().into());
    }
    let has = |kind: &str| kinds.contains(kind);
    if of_calls && has("intent") != has("outcome") {
        faults.add(said, path, "an event takes both intent and outcome");
    }
    Some(kinds)
}

fn file(
    spec: &SinkFileSpec,
    path: &str,
    journal: &str,
    faults: &mut Faults<'_>,
) -> Option<SinkFile> {
    let said = &spec.path;
    if said.value.trim().is_empty() || said.value.ends_with('/') {
        return faults.none(said, path, "name a file");
    }
    let file = beside(faults.texts.name(said.place), &said.value);
    if Path::new(&file).starts_with(journal) {
        return faults.none(said, path, "the file must not be within journal.dir");
    }
    let rotation = spec.rotate.as_ref().map(|rotate| {
        if rotate.size.value.0 < LEAST_ROTATION {
            faults.add(&rotate.size, path, "a file is put aside from 1MiB on");
        }
        let keep = rotate.keep.as_ref().map_or(10, |keep| {
            if !(1..=MOST_KEPT).contains(&keep.value) {
                faults.add(keep, path, "1 to 1000 files are kept");
            }
            keep.value
        });
        (rotate.size.value.0, keep)
    });
    Some(SinkFile { path: file.into(), rotation })
}

fn syslog(
    spec: &SinkSyslogSpec,
    path: &str,
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Option<SinkSyslog> {
    let address = address(&spec.address, path, faults);
    let tls = peer_tls(spec.tls.as_ref(), path, port, faults);
    let why = spec.insecure.as_ref().is_some_and(|why| !why.value.trim().is_empty());
    match &address {
        Some(SinkAddress::Tcp(host, _)) if !loopback(host) && spec.tls.is_none() && !why => {
            let hint = Some("add tls: {ca: {file: …}}, or insecure: \"why\"".into());
            faults.hinted(&spec.address, path, "records would leave the machine in clear", hint);
        }
        Some(SinkAddress::Unix(_)) if spec.tls.is_some() => {
            faults.add(&spec.address, path, "a datagram socket has no TLS");
        }
        Some(SinkAddress::Tcp(..) | SinkAddress::Unix(_)) | None => {}
    }
    let app_name = spec.app_name.as_ref().map_or("esbgate", |said| {
        let graphic = said.value.bytes().all(|byte| byte.is_ascii_graphic());
        if said.value.is_empty() || said.value.len() > 48 || !graphic {
            faults.add(said, path, "app_name is 1 to 48 printable ASCII characters");
        }
        said.value.as_str()
    });
    let datagram = spec.datagram.as_ref().map_or(8 << 10, |said| {
        if !(2 << 10..=128 << 10).contains(&said.value.0) {
            faults.add(said, path, "a datagram has 2KiB to 128KiB");
        }
        said.value.0
    });
    Some(SinkSyslog {
        address: address?,
        tls: tls?,
        confirm_by_close: match spec.confirm {
            ConfirmSpec::Close => true,
            ConfirmSpec::Sent => false,
        },
        facility: facility(spec.facility),
        app_name: app_name.into(),
        enterprise: spec.enterprise.unwrap_or(ENTERPRISE),
        datagram,
    })
}

/// RFC 5424 §6.2.1.
fn facility(spec: FacilitySpec) -> u8 {
    match spec {
        FacilitySpec::User => 1,
        FacilitySpec::Daemon => 3,
        FacilitySpec::Auth => 4,
        FacilitySpec::Authpriv => 10,
        FacilitySpec::Audit => 13,
        FacilitySpec::Local0 => 16,
        FacilitySpec::Local1 => 17,
        FacilitySpec::Local2 => 18,
        FacilitySpec::Local3 => 19,
        FacilitySpec::Local4 => 20,
        FacilitySpec::Local5 => 21,
        FacilitySpec::Local6 => 22,
        FacilitySpec::Local7 => 23,
    }
}

fn address(said: &Spanned<String>, path: &str, faults: &mut Faults<'_>) -> Option<SinkAddress> {
    if let Some(file) = said.value.strip_prefix("unix:") {
        return socket_file(file, said, path, faults).map(|file| SinkAddress::Unix(file.into()));
    }
    let tcp = said.value.strip_prefix("tcp:").and_then(|rest| rest.rsplit_once(':'));
    let read = tcp.and_then(|(host, port)| {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
        is_host(host).then(|| SinkAddress::Tcp(host.into(), port))
    });
    let expected = "expected an address such as tcp:siem.example.com:6514 or unix:/dev/log";
    read.or_else(|| faults.none(said, path, expected))
}

fn is_host(host: &str) -> bool {
    let part = |part: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !part.is_empty() && part.bytes().all(known)
    };
    host.parse::<IpAddr>().is_ok() || (host.len() <= 253 && host.split('.').all(part))
}

fn loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn postgres(
    spec: &SinkPostgresSpec,
    path: &str,
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Option<SinkPostgres> {
    let number = spec.port.as_ref().map_or(5432, |said| {
        if said.value == 0 {
            faults.add(said, path, "a port is 1 to 65535");
        }
        said.value
    });
    let host = spec.host.value.as_str();
    let address = if host.starts_with('/') {
        Some(SinkAddress::Unix(host.into()))
    } else if is_host(host) {
        Some(SinkAddress::Tcp(host.into(), number))
    } else {
        faults.none(
            &spec.host,
            path,
            "expected a host, or the folder of a socket such as /run/postgresql",
        )
    };
    match &address {
        Some(SinkAddress::Tcp(..)) if !loopback(host) && spec.tls.is_none() => {
            let hint = Some("add tls: {ca: {file: …}}".into());
            let message = "records and the password would leave the machine in clear";
            faults.hinted(&spec.host, path, message, hint);
        }
        Some(SinkAddress::Unix(_)) if spec.tls.is_some() => {
            faults.add(&spec.host, path, "a socket file has no TLS");
        }
        Some(SinkAddress::Tcp(..) | SinkAddress::Unix(_)) | None => {}
    }
    let tls = peer_tls(spec.tls.as_ref(), path, port, faults);
    let password = match &spec.password {
        None => Some(None),
        Some(source) => secret(source, port, path, faults).map(|value| Some(Secret::new(value))),
    };
    for said in [&spec.database, &spec.user] {
        if said.value.trim().is_empty() || said.value.contains('\0') {
            faults.add(said, path, "name a database and a role");
        }
    }
    let table = spec.table.as_ref().map_or("esbgate_journal", |said| {
        if let Err(message) = check_table(&said.value) {
            faults.add(said, path, message);
        }
        said.value.as_str()
    });
    Some(SinkPostgres {
        address: address?,
        port: number,
        tls: tls?,
        database: spec.database.value.as_str().into(),
        user: spec.user.value.as_str().into(),
        password: password?,
        table: table.into(),
        create: spec.create,
    })
}

/// None where something is wrong with it.
fn peer_tls(
    spec: Option<&PeerTlsSpec>,
    path: &str,
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Option<Option<PeerTls>> {
    let Some(spec) = spec else { return Some(None) };
    let ca = text(&spec.ca, port, path, faults);
    let own = match (&spec.certificate, &spec.key) {
        (None, None) => Some(None),
        (Some(certificate), Some(key)) => {
            let certificate = text(certificate, port, path, faults);
            let key = text(key, port, path, faults);
            certificate.zip(key).map(|(certificate, key)| Some((certificate, Secret::new(key))))
        }
        (Some(one), None) | (None, Some(one)) => {
            faults.none(&one.file, path, "a certificate and its key come together")
        }
    };
    Some(Some(PeerTls { ca: ca?, own: own? }))
}
