//! From checked files to what a start needs.

use std::{num::NonZeroUsize, path::Path, sync::Arc, thread::available_parallelism};

use esbgate_config::{Durability, JournalMode, JournalOptions, Problem};
use esbgate_core::HeadRules;
use esbgate_journal::{Retain, Rotation};
use esbgate_server::{Inherited, ListenerTls, ServerLimits};
use esbgate_upstream::{DEFAULT_ANSWER_LIMIT, EsbOptions, LoginOptions};
use rustls::ClientConfig;

use super::files::Checked;
use crate::{
    archive::Compressed,
    boot::{ListenerSettings, RequestLimits, Settings},
    reload::{PolicyGrounds, PolicySettings},
    reread::{Reread, server_tls},
};

/// The last of the checks: what a start makes of certificates and keys.
pub(super) fn settings(file: &Path, checked: Checked) -> Result<Settings, Vec<Problem>> {
    let Checked { boot, document, files, source, texts, plan, seen, warnings } = checked;
    let file = file.display().to_string();
    let problem = |message| vec![Problem::of_file(&file, message)];
    let mut listeners = Vec::new();
    for listener in &boot.listeners {
        let tls = listener.tls.as_ref().map(server_tls).transpose().map_err(problem)?;
        listeners.push(tls.map(ListenerTls::new));
    }
    let reread = Reread::new(document, files, &boot, &listeners);
    let listeners = boot.listeners.iter().zip(listeners);
    let listeners = listeners
        .map(|(listener, tls)| ListenerSettings { address: listener.address.to_string(), tls })
        .collect();
    let tls = boot.upstream_ca.as_deref().map(client_tls).transpose().map_err(problem)?;
    let sinks = boot.sinks.into_iter().map(super::sinks::sink).collect::<Result<_, _>>();
    let sinks = sinks.map_err(problem)?;
    let (limits, login) = (boot.limits, boot.login.is_some());
    Ok(Settings {
        cores: Some(cores(boot.threads)),
        listeners,
        inherited: Inherited::none(),
        monitor: boot.monitor.to_string(),
        admin: boot.admin.map(Into::into),
        state: (&*boot.state).into(),
        named_apps: boot.named_apps,
        head: HeadRules {
            hosts: boot.hosts,
            trusted_peers: boot.trusted_peers,
            trusted_proxies: boot.trusted_proxies,
        },
        limits: RequestLimits {
            body: limits.body,
            body_time: limits.body_time,
            in_flight: limits.in_flight.into(),
            body_bytes: limits.body_bytes,
            server: ServerLimits {
                header_time: limits.header_time,
                idle_time: limits.header_time,
                headers: usize::try_from(limits.headers).unwrap_or(usize::MAX),
                connections: limits.connections.into(),
            },
        },
        dialect: boot.dialect,
        esb: EsbOptions {
            endpoints: boot.endpoints.iter().map(ToString::to_string).collect(),
            connect_timeout: boot.connect_timeout,
            answer_timeout: boot.answer_timeout,
            answer_limit: DEFAULT_ANSWER_LIMIT,
            tls: tls.clone(),
            keep_alive: boot.keep_alive,
        },
        login: boot.login.map(|login| LoginOptions {
            url: login.url.to_string(),
            timeout: login.timeout,
            valid: login.valid,
            invalid: login.invalid,
            stale_if_error: login.stale_if_error,
            tls,
        }),
        journal: journal(boot.journal, &boot.state, limits.in_flight.into()),
        sinks,
        reread,
        policy: PolicySettings {
            source,
            grounds: PolicyGrounds { credentials: boot.credentials, login },
            state: (&*boot.state).into(),
            texts,
            plan,
            warnings: warnings.len(),
            seen,
        },
    })
}

fn journal(said: JournalOptions, state: &str, open_intents: u64) -> esbgate_journal::Options {
    let own = esbgate_journal::Options::new((&*said.dir).into(), state.into(), said.hmac_key);
    esbgate_journal::Options {
        witness: said.witness.map(|path| (&*path).into()),
        durability: match said.durability {
            Durability::Written => esbgate_journal::Durability::Written,
            Durability::Synced => esbgate_journal::Durability::Synced,
        },
        mode: match said.mode {
            JournalMode::Strict => esbgate_journal::Mode::Strict,
            JournalMode::BestEffort => esbgate_journal::Mode::BestEffort,
        },
        previous_keys: said.previous_keys,
        node: said.node.map_or_else(node, String::from),
        version: env!("CARGO_PKG_VERSION"),
        // Each belongs to a call that is inside.
        open_intents,
        rotation: Rotation { bytes: said.segment_bytes, time: said.segment_time },
        retain: Retain { time: said.retain_time, bytes: said.retain_bytes },
        archive: Some(Arc::new(Compressed)),
        ..own
    }
}

/// The machine's name, as records show it when the file names none.
fn node() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "esbgate".into() } else { name.into() }
}

fn client_tls(ca: &str) -> Result<Arc<ClientConfig>, String> {
    esbgate_upstream::tls_config(ca.as_bytes()).map_err(|error| format!("upstream.ca: {error}"))
}

/// As many as asked for, else as many as there are for this process.
fn cores(threads: Option<u32>) -> NonZeroUsize {
    let asked = threads.and_then(|threads| NonZeroUsize::new(usize::try_from(threads).ok()?));
    asked.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}
