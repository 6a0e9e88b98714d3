//! What each order does, who gave it, and what the journal has of it.

use std::sync::Arc;

use esbgate_config::Problem;
use esbgate_core::{AdminPeer, AdminRecord, Clock, PolicyHandle, ReloadCause, Rooms};
use esbgate_journal::FileJournal;
use esbgate_model::Name;
use esbgate_server::Server;
use esbgate_upstream::LoginService;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    explain::{Told, Unexplained, explain},
    keep::Keep,
    lookup::Lookups,
    protocol::{Answer, Differing, Done, Operation, Order, Shadowed, Status, Subject, Token},
};
use crate::{
    reload::{ReloadError, Reloaded, Reloader},
    shadow::{Difference, Shadow, ShadowReport},
};

/// What the desk looks at.
pub(crate) struct View {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) journal: FileJournal,
    pub(crate) policy: PolicyHandle,
    pub(crate) reloader: Reloader,
    pub(crate) shadow: Shadow,
    pub(crate) login: Option<LoginService>,
    pub(crate) inside: Rooms,
    pub(crate) callers: Server,
    /// Cancelled when the gateway stops.
    pub(crate) stopping: CancellationToken,
    /// Cancelled to ask for a stop.
    pub(crate) stop: CancellationToken,
}

/// Takes orders, one at a time where they change something.
pub(crate) struct Desk {
    view: View,
    // Held by admins alone, never by a call.
    keep: Arc<Mutex<Keep>>,
    /// One call is explained at a time, so that admins cannot keep every processor busy.
    explaining: Mutex<()>,
    lookups: Lookups,
}

/// Most problems of a policy that an answer tells.
const MOST_TOLD: usize = 20;

type Arguments = Vec<(&'static str, String)>;

impl Desk {
    pub(crate) fn new(view: View, keep: Keep) -> Self {
        Self {
            view,
            keep: Arc::new(Mutex::new(keep)),
            explaining: Mutex::new(()),
            lookups: Lookups::default(),
        }
    }

    /// Does what is asked, and answers once that is on record.
    pub(crate) async fn take(&self, operation: Operation, peer: AdminPeer) -> Answer {
        let name = operation.name();
        match operation {
            Operation::Freeze(order) => self.freeze(order, peer).await,
            Operation::Unfreeze { id } => self.unfreeze(id, peer).await,
            Operation::Freezes => {
                let list = self.keep.lock().await.list().to_vec();
                self.looked(name, peer, Done::Freezes(list)).await
            }
            Operation::Purge { token } => self.purge(token, peer).await,
            Operation::Drain => {
                let recorded = self.record(name, &Vec::new(), peer, "done").await;
                self.view.stop.cancel();
                Answer::done(Done::Draining { recorded })
            }
            Operation::Status => {
                let status = self.status().await;
                self.looked(name, peer, Done::Status(status)).await
            }
            Operation::Reload => {
                let reloaded = self.view.reloader.reload(ReloadCause::Admin).await;
                self.in_force(name, Vec::new(), peer, reloaded).await
            }
            Operation::Rollback { to } => {
                let arguments = to.map(|to| ("to", to.to_string())).into_iter().collect();
                let reloaded = self.view.reloader.rollback(to).await;
                self.in_force(name, arguments, peer, reloaded).await
            }
            Operation::Shadow => {
                let report = self.view.shadow.report().map(shadowed);
                self.looked(name, peer, Done::Shadow(report)).await
            }
            Operation::Lookup { field, value } => self.lookup(&field, value, peer).await,
            Operation::Explain { call, at } => self.explain(call, at, peer).await,
        }
    }

    /// Who only looks is answered even while nothing can be put on record.
    async fn looked(&self, name: &'static str, peer: AdminPeer, done: Done) -> Answer {
        self.record(name, &Vec::new(), peer, "done").await;
        Answer::done(done)
    }

    /// What would become of a call. Who only asks is answered even while nothing can be put on record.
    async fn explain(&self, call: String, at: Option<Timestamp>, peer: AdminPeer) -> Answer {
        let policy = self.view.policy.pin();
        let mut arguments = vec![("generation", policy.generation.to_string())];
        arguments.extend(at.map(|at| ("at", at.to_string())));
        let when = at.unwrap_or_else(|| self.view.clock.now().wall);
        let told = {
            let _one = self.explaining.lock().await;
            blocking(move || explain(&policy, &call, when)).await
        };
        let Told { app, component, explained } = match told.unwrap_or(Err(Unexplained::Internal)) {
            Ok(told) => told,
            Err(why) => {
                let code = match why {
                    Unexplained::NoCall(_) => "invalid",
                    Unexplained::Internal => "failed",
                };
                self.record("explain", &arguments, peer, code).await;
                return Answer::refused(code, why.to_string());
            }
        };
        arguments.extend(app.map(|app| ("app", app)));
        arguments.push(("component", component.into()));
        self.record("explain", &arguments, peer, "done").await;
        Answer::done(Done::Explained(Box::new(explained)))
    }

    /// What records have in the place of a value. Answered once that is on record, so that nobody can guess unseen.
    async fn lookup(&self, field: &str, Token(value): Token, peer: AdminPeer) -> Answer {
        let View { journal, clock, .. } = &self.view;
        match self.lookups.look(journal, (field, &value), clock.now().monotonic, peer).await {
            Ok(hashed) => Answer::done(Done::Hashed(hashed)),
            Err(why) => Answer::refused(why.code(), why.to_string()),
        }
    }

    /// What a change of policy came to. Its own record was there before it had an effect; this one says who asked.
    async fn in_force(
        &self,
        name: &'static str,
        arguments: Arguments,
        peer: AdminPeer,
        reloaded: Result<Reloaded, ReloadError>,
    ) -> Answer {
        let (generation, taken, held) = match reloaded {
            Ok(Reloaded::Same(number)) => (number, false, false),
            Ok(Reloaded::Held(number)) => (number, false, true),
            Ok(Reloaded::Taken(number)) => {
                (number, true, self.view.reloader.status().borrow().hold.is_some())
            }
            Err(error) => {
                self.record(name, &arguments, peer, "refused").await;
                return Answer::refused("refused", told(&error));
            }
        };
        self.record(name, &arguments, peer, "done").await;
        Answer::done(Done::InForce { generation, taken, held })
    }

    async fn freeze(&self, order: Order, peer: AdminPeer) -> Answer {
        let mut arguments = arguments(&order);
        let known = match &order.subject {
            Subject::App(code) => Name::new(code).is_ok_and(|code| self.view.policy.knows(&code)),
            Subject::Everything | Subject::Business(_) | Subject::Script(_) => true,
        };
        if !known {
            self.record("freeze", &arguments, peer, "unknown_app").await;
            let message = "the policy in force has no application of this code";
            return Answer::refused("unknown_app", message);
        }
        let mut keep = Arc::clone(&self.keep).lock_owned().await;
        let now = self.view.clock.now().wall;
        let id = match keep.set(order, now, peer.uid) {
            Ok(id) => id,
            Err(why) => {
                self.record("freeze", &arguments, peer, "invalid").await;
                return Answer::refused("invalid", why);
            }
        };
        // It holds from here on, whatever the disk and the journal say.
        let kept = blocking(move || keep.save().is_ok()).await.unwrap_or(false);
        if !kept {
            tracing::error!(id, "freeze cannot be kept: it will not survive a restart");
        }
        arguments.push(("id", id.clone()));
        let recorded = self.record("freeze", &arguments, peer, "done").await;
        Answer::done(Done::Frozen { id, kept, recorded })
    }

    async fn unfreeze(&self, id: String, peer: AdminPeer) -> Answer {
        let arguments = vec![("id", id.clone())];
        let mut keep = Arc::clone(&self.keep).lock_owned().await;
        if !keep.has(&id) {
            self.record("unfreeze", &arguments, peer, "unknown_id").await;
            return Answer::refused("unknown_id", "no freeze of an admin has this id");
        }
        if !self.record("unfreeze", &arguments, peer, "done").await {
            let message = "the journal takes no records, so the freeze stays";
            return Answer::refused("unrecorded", message);
        }
        let taken = id.clone();
        if blocking(move || keep.unset(&taken).is_ok()).await.unwrap_or(false) {
            return Answer::done(Done::Unfrozen { id });
        }
        self.record("unfreeze", &arguments, peer, "failed").await;
        Answer::refused("failed", "the state folder cannot be written, so the freeze stays")
    }

    async fn purge(&self, token: Option<Token>, peer: AdminPeer) -> Answer {
        let what = if token.is_some() { "one token" } else { "all" };
        let arguments = vec![("what", what.to_owned())];
        let Some(login) = &self.view.login else {
            self.record("purge", &arguments, peer, "no_login").await;
            return Answer::refused("no_login", "this gateway asks no login service");
        };
        match token {
            Some(Token(token)) => login.purge_token(&token),
            None => login.purge(),
        }
        let recorded = self.record("purge", &arguments, peer, "done").await;
        Answer::done(Done::Purged { recorded })
    }

    async fn status(&self) -> Status {
        let view = &self.view;
        let (generation, apps, policy_freezes) = view.policy.summary();
        let (held, problems) = {
            let status = view.reloader.status();
            let status = status.borrow();
            (status.hold.as_ref().map(|hold| hold.restores), status.problems.len())
        };
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            generation,
            apps,
            held,
            problems,
            in_flight: view.inside.taken(),
            connections: view.callers.connections(),
            journal_writable: view.journal.writable(),
            stopping: view.stopping.is_cancelled(),
            policy_freezes,
            admin_freezes: self.keep.lock().await.list().len(),
        }
    }

    /// Whether it is on record.
    async fn record(
        &self,
        operation: &'static str,
        arguments: &Arguments,
        peer: AdminPeer,
        result: &'static str,
    ) -> bool {
        let record = AdminRecord { operation, arguments, peer, result };
        let recorded = self.view.journal.admin(&record).await.is_ok();
        let uid = peer.uid;
        tracing::info!(operation, ?arguments, uid, result, recorded, "order of an admin");
        recorded
    }
}

/// Why a change of policy was refused, with the places of its problems.
fn told(error: &ReloadError) -> String {
    let problems: &[Problem] = match error {
        ReloadError::Refused(problems) => problems,
        ReloadError::Unrecorded
        | ReloadError::NoPrevious
        | ReloadError::Shelf(_)
        | ReloadError::Stopping => &[],
    };
    let lines = problems.iter().take(MOST_TOLD).map(|problem| format!("\n{problem}"));
    let more = problems.len().saturating_sub(MOST_TOLD);
    let more = if more > 0 {
        format!("\nand {more} more; the log has all of them")
    } else {
        String::new()
    };
    format!("{error}{}{more}", lines.collect::<String>())
}

fn shadowed(report: ShadowReport) -> Shadowed {
    let [same, would_refuse, would_allow, other_reason, unjudged] = report.counts;
    let differing = |one: Difference| Differing {
        result: one.result.as_str().into(),
        app: one.app.map(|app| app.as_str().into()),
        component: one.component.map(Into::into),
        now: one.now.map(Into::into),
        next: one.next.map(Into::into),
        count: one.count,
        last_at: one.last_at,
        last_request_id: one.last_request_id.into(),
    };
    Shadowed {
        sha256: report.sha256.into(),
        since: report.since,
        same,
        would_refuse,
        would_allow,
        other_reason,
        unjudged,
        differences: report.differences.into_iter().map(differing).collect(),
        untold: report.untold,
    }
}

fn arguments(order: &Order) -> Arguments {
    let mut arguments =
        vec![("subject", order.subject.to_string()), ("reason", order.reason.clone())];
    arguments.extend(order.from.map(|from| ("from", from.to_string())));
    arguments.extend(order.until.map(|until| ("until", until.to_string())));
    arguments
}

/// Does what blocks on the disk beside the threads that serve calls.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
