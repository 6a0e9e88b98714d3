//! The login service: whose a `bk_token` is.
//!
//! An outage is not a verdict. Good and bad answers are kept apart, so that junk tokens cannot push out the
//! people who work; one question at a time is asked for one token, and it goes on when its asker leaves.

mod ask;
mod cache;
mod verdict;

use std::{sync::Arc, time::Duration};

use esbgate_core::{CacheResult, Login, LoginDown, LoginMetrics, LoginResult, ReceivedAt, Verdict};
use esbgate_model::{Name, Secret};
use http::Uri;
use quick_cache::sync::Cache;
use rustls::ClientConfig;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use self::{
    ask::Ask,
    cache::{Fingerprint, Fingerprints, Verdicts},
};
use crate::endpoint::OptionsError;

/// More questions than this at once are asked, but not shared.
const MOST_FLIGHTS: usize = 4_096;

/// How the login service is reached, and how long its answers are believed.
#[derive(Debug, Clone)]
pub struct LoginOptions {
    /// The whole URL of `is_login`, without a query.
    pub url: String,
    /// How long a question may take.
    pub timeout: Duration,
    /// How long a good answer is believed; zero switches the cache off.
    pub valid: Duration,
    /// How long a bad answer is believed.
    pub invalid: Duration,
    /// How long past its time a good answer may still serve while the service is down.
    pub stale_if_error: Duration,
    /// The TLS configuration; required by `https`.
    pub tls: Option<Arc<ClientConfig>>,
}

/// The login service.
#[derive(Clone)]
pub struct LoginService(Arc<Shared>);

type Asked = Result<Option<Name>, LoginDown>;
type Flight = watch::Receiver<Option<Asked>>;

struct Shared {
    ask: Ask,
    timeout: Duration,
    fingerprints: Fingerprints,
    verdicts: Verdicts,
    flights: Cache<Fingerprint, Flight>,
    metrics: LoginMetrics,
}

impl std::fmt::Debug for LoginService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginService").finish_non_exhaustive()
    }
}

impl LoginService {
    /// A client; opens nothing yet.
    pub fn new(options: LoginOptions, metrics: LoginMetrics) -> Result<Self, OptionsError> {
        let ask = Ask::new(&options.url, options.tls.as_ref())?;
        Ok(Self(Arc::new(Shared {
            ask,
            timeout: options.timeout,
            fingerprints: Fingerprints::new()?,
            verdicts: Verdicts::new(options.valid, options.invalid, options.stale_if_error),
            flights: Cache::new(MOST_FLIGHTS),
            metrics,
        })))
    }

    /// Forgets every answer, those under way included.
    pub fn purge(&self) {
        self.0.verdicts.purge();
        self.0.flights.clear();
    }

    /// Forgets what was said of one token, an answer under way included.
    pub fn purge_token(&self, token: &Secret) {
        let fingerprint = self.0.fingerprints.of(token);
        // First, so that an answer that lands from now on finds itself delisted.
        self.0.flights.remove(&fingerprint);
        self.0.verdicts.forget(&fingerprint);
    }
}

impl Login for LoginService {
    async fn introspect(&self, token: &Secret, at: ReceivedAt) -> Result<Verdict, LoginDown> {
        let shared = &self.0;
        let fingerprint = shared.fingerprints.of(token);
        if let Some(user) = shared.verdicts.fresh(&fingerprint, at) {
            shared.metrics.cache(CacheResult::Hit);
            return Ok(Verdict { user, stale: false });
        }
        let uri = shared.ask.uri(token)?;
        let mut flight = shared.join(fingerprint, uri, at);
        // A closed channel is a flight that came down: no answer either.
        let landed = timeout(shared.timeout, flight.wait_for(Option::is_some)).await;
        let asked = match landed {
            Ok(Ok(asked)) => asked.clone().unwrap_or(Err(LoginDown)),
            Ok(Err(_)) | Err(_) => Err(LoginDown),
        };
        if asked.is_err()
            && let Some(user) = shared.verdicts.stale(&fingerprint, at)
        {
            shared.metrics.cache(CacheResult::Stale);
            return Ok(Verdict { user: Some(user), stale: true });
        }
        if shared.verdicts.is_on() {
            shared.metrics.cache(CacheResult::Miss);
        }
        Ok(Verdict { user: asked?, stale: false })
    }

    fn known(&self, token: &Secret, at: ReceivedAt) -> Option<Verdict> {
        let known = self.0.verdicts.fresh(&self.0.fingerprints.of(token), at);
        known.map(|user| Verdict { user, stale: false })
    }
}

impl Shared {
    /// The flight for this token: the one under way, or a new one.
    fn join(self: &Arc<Self>, fingerprint: Fingerprint, uri: Uri, at: ReceivedAt) -> Flight {
        let mut leads = None;
        let joined = self.flights.get_or_insert_with(&fingerprint, || {
            let (sender, flight) = watch::channel(None);
            leads = Some((sender, flight.clone()));
            Ok::<_, std::convert::Infallible>(flight)
        });
        let Ok(joined) = joined;
        // Only now: a flight must be listed before it can land.
        if let Some((sender, flight)) = leads {
            let shared = Arc::clone(self);
            let generation = self.verdicts.generation();
            tokio::spawn(async move {
                let asked = shared.fly(uri).await;
                if let Ok(user) = &asked {
                    shared.verdicts.keep(fingerprint, user.clone(), at, generation);
                }
                let listed =
                    shared.flights.remove_if(&fingerprint, |listed| listed.same_channel(&flight));
                if listed.is_none() {
                    // Purged meanwhile, or pushed out: nobody knows which.
                    shared.verdicts.forget(&fingerprint);
                }
                sender.send_replace(Some(asked));
            });
        }
        joined
    }

    async fn fly(&self, uri: Uri) -> Asked {
        let begin = Instant::now();
        let asked = timeout(self.timeout, self.ask.send(uri, self.timeout)).await;
        let asked = asked.unwrap_or(Err(LoginDown));
        let result = match &asked {
            Ok(Some(_)) => LoginResult::Valid,
            Ok(None) => LoginResult::Invalid,
            Err(LoginDown) => LoginResult::Error,
        };
        self.metrics.asked(result, begin.elapsed().as_secs_f64());
        asked
    }
}

#[cfg(test)]
mod tests;
