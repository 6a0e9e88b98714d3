//! What came and what was made of it, for a test to look at and to wait for.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::fault::Missing;
use crate::guarded::Guarded;
use crate::http::Request;
use crate::job::Job;

/// Everything that reached the stand-in. Cheap to clone; all clones see the same.
#[derive(Debug, Clone)]
pub struct History {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    log: Guarded<Log>,
    progress: watch::Sender<Progress>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Log {
    requests: VecDeque<Arc<Request>>,
    logins: VecDeque<LoginQuestion>,
    jobs: VecDeque<Job>,
    /// How many jobs have been pushed out of `jobs`, so that an id finds its place.
    forgotten: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Progress {
    connections: usize,
    requests: usize,
    broken: usize,
    logins: usize,
    runs: usize,
}

/// What the ESB made of a request.
#[derive(Clone)]
pub struct Resolved {
    /// The component's name, if the path names one.
    pub component: Option<String>,
    /// Whose request it is; none if that was refused.
    pub identity: Option<Identity>,
    /// The parameters as the ESB read them, identity keys included.
    pub params: Map<String, Value>,
    /// What went on to JOB: without those keys, with the user and the app that were found.
    pub sent_to_job: Map<String, Value>,
    /// The ESB's id of the request, which its answer may or may not show.
    pub request_id: String,
    /// `code` of the answer before any fault; none where that has no such member.
    pub code: Option<i64>,
}

/// Who was found to call, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The application; [`BYPASS`](crate::BYPASS) if it came from a gateway JWT or an access token.
    pub app: String,
    /// The user; [`BYPASS`](crate::BYPASS) likewise.
    pub user: String,
    /// What proved the application.
    pub app_proof: AppProof,
    /// What named the user.
    pub user_proof: UserProof,
    /// Where the credentials stood.
    pub place: CredentialPlace,
}

/// What proved an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppProof {
    /// `bk_app_secret` or `app_secret`.
    Secret,
    /// `X-Bkapi-JWT`.
    Jwt,
    /// `access_token` in the auth header.
    AccessToken,
    /// A signature that the debug switch left unchecked.
    SkippedSignature,
}

/// What named a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserProof {
    /// `bk_token`, asked at the login service.
    Token,
    /// `bk_username` or `username` of an application that is believed.
    Name,
    /// `X-Bkapi-JWT`.
    Jwt,
    /// `access_token` in the auth header.
    AccessToken,
    /// `bk_access_token` among the parameters.
    BkAccessToken,
}

/// Where credentials stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialPlace {
    /// In `X-Bkapi-Authorization`.
    Header,
    /// Among the parameters.
    Params,
}

/// One question to the login service.
#[derive(Clone)]
pub struct LoginQuestion {
    /// The request itself.
    pub request: Arc<Request>,
    /// The query as it was written.
    pub raw_query: String,
    /// `bk_token`, decoded exactly once.
    pub token: Option<String>,
}

/// Without the parameters, because they may hold credentials.
impl fmt::Debug for Resolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Resolved")
            .field("component", &self.component)
            .field("identity", &self.identity)
            .field("request_id", &self.request_id)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// Without the token.
impl fmt::Debug for LoginQuestion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LoginQuestion")
            .field("request", &self.request)
            .field("has_token", &self.token.is_some())
            .finish_non_exhaustive()
    }
}

/// Jobs are kept at least so far back, whatever the limit, for status and start.
const JOBS_KEPT: usize = 4096;

impl History {
    pub(crate) fn new(limit: usize) -> Self {
        let progress = watch::Sender::new(Progress::default());
        Self { inner: Arc::new(Inner { log: Guarded::default(), progress, limit }) }
    }

    /// The requests to the ESB, oldest first, as far back as is kept.
    #[must_use]
    pub fn requests(&self) -> Vec<Arc<Request>> {
        self.inner.log.with(|log| log.requests.iter().cloned().collect())
    }

    /// How many whole requests have reached the ESB.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.progress().requests
    }

    /// How many connections the ESB has accepted.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.progress().connections
    }

    /// How many requests to the ESB broke off or were no HTTP.
    #[must_use]
    pub fn broken_count(&self) -> usize {
        self.progress().broken
    }

    /// Waits until `count` requests have arrived at the ESB, whole, handled or held.
    ///
    /// # Errors
    ///
    /// [`Missing`] if they have not come `within` that time.
    pub async fn arrived(&self, count: usize, within: Duration) -> Result<(), Missing> {
        self.wait(count, within, |progress| progress.requests).await
    }

    /// Every job that JOB has made, started or not, oldest first.
    #[must_use]
    pub fn jobs(&self) -> Vec<Job> {
        self.inner.log.with(|log| log.jobs.iter().cloned().collect())
    }

    /// The jobs that were started: what really ran.
    #[must_use]
    pub fn runs(&self) -> Vec<Job> {
        self.inner.log.with(|log| log.jobs.iter().filter(|job| job.started).cloned().collect())
    }

    /// How many jobs have been started.
    #[must_use]
    pub fn run_count(&self) -> usize {
        self.progress().runs
    }

    /// Waits until `count` jobs have been started.
    ///
    /// # Errors
    ///
    /// [`Missing`] if they have not been `within` that time.
    pub async fn ran(&self, count: usize, within: Duration) -> Result<(), Missing> {
        self.wait(count, within, |progress| progress.runs).await
    }

    /// The questions to the login service, oldest first, as far back as is kept.
    #[must_use]
    pub fn logins(&self) -> Vec<LoginQuestion> {
        self.inner.log.with(|log| log.logins.iter().cloned().collect())
    }

    /// How many questions have reached the login service.
    #[must_use]
    pub fn login_count(&self) -> usize {
        self.progress().logins
    }

    /// Waits until `count` questions have arrived at the login service.
    ///
    /// # Errors
    ///
    /// [`Missing`] if they have not come `within` that time.
    pub async fn logins_arrived(&self, count: usize, within: Duration) -> Result<(), Missing> {
        self.wait(count, within, |progress| progress.logins).await
    }

    fn progress(&self) -> Progress {
        *self.inner.progress.borrow()
    }

    async fn wait(
        &self,
        wanted: usize,
        within: Duration,
        count: impl Fn(&Progress) -> usize,
    ) -> Result<(), Missing> {
        let mut progress = self.inner.progress.subscribe();
        let reached = progress.wait_for(|progress| count(progress) >= wanted);
        let failed = !matches!(tokio::time::timeout(within, reached).await, Ok(Ok(_)));
        if failed { Err(Missing { wanted, seen: count(&self.progress()) }) } else { Ok(()) }
    }

    fn count(&self, change: impl FnOnce(&mut Progress)) {
        self.inner.progress.send_modify(change);
    }

    pub(crate) fn keeps(&self) -> bool {
        self.inner.limit > 0
    }

    pub(crate) fn connected(&self) {
        self.count(|progress| progress.connections += 1);
    }

    pub(crate) fn broke(&self) {
        self.count(|progress| progress.broken += 1);
    }

    pub(crate) fn request_arrived(&self, request: &Arc<Request>) {
        let limit = self.inner.limit;
        self.inner.log.with(|log| keep(&mut log.requests, || Arc::clone(request), limit));
        self.count(|progress| progress.requests += 1);
    }

    pub(crate) fn login_arrived(&self, question: impl FnOnce() -> LoginQuestion) {
        self.inner.log.with(|log| keep(&mut log.logins, question, self.inner.limit));
        self.count(|progress| progress.logins += 1);
    }

    /// Lets `change` work on all jobs, oldest first, and counts the run if it started one.
    pub(crate) fn with_jobs<R>(&self, change: impl FnOnce(&mut Jobs<'_>) -> R) -> R {
        let limit = self.inner.limit.max(JOBS_KEPT);
        let (answer, started) = self.inner.log.with(|log| {
            let mut jobs =
                Jobs { jobs: &mut log.jobs, forgotten: &mut log.forgotten, limit, started: 0 };
            let answer = change(&mut jobs);
            let started = jobs.started;
            (answer, started)
        });
        if started > 0 {
            self.count(|progress| progress.runs += started);
        }
        answer
    }
}

/// The jobs while they are worked on. Their numbers run from 0 without a gap.
#[derive(Debug)]
pub(crate) struct Jobs<'a> {
    jobs: &'a mut VecDeque<Job>,
    forgotten: &'a mut usize,
    limit: usize,
    started: usize,
}

impl Jobs<'_> {
    pub(crate) fn next_number(&self) -> usize {
        *self.forgotten + self.jobs.len()
    }

    pub(crate) fn push(&mut self, job: Job) {
        self.started += usize::from(job.started);
        self.jobs.push_back(job);
        if self.jobs.len() > self.limit {
            self.jobs.pop_front();
            *self.forgotten += 1;
        }
    }

    pub(crate) fn get_mut(&mut self, number: usize) -> Option<&mut Job> {
        self.jobs.get_mut(number.checked_sub(*self.forgotten)?)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.jobs.iter()
    }

    pub(crate) fn count_start(&mut self) {
        self.started += 1;
    }
}

fn keep<T>(kept: &mut VecDeque<T>, next: impl FnOnce() -> T, limit: usize) {
    if limit == 0 {
        return;
    }
    if kept.len() >= limit {
        kept.pop_front();
    }
    kept.push_back(next());
}
