//! The gateway, put together. This function is the design: the life of a call, outermost step first.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use esbgate_core::{
    Admit, Authenticate, Authorize, Charge, HeadRules, Interpret, Introspect, Journal, Login,
    MatchRoute, Metrics, Once, Parse, PolicyHandle, Prepare, ProveApp, Rejection, Rooms, TraceSink,
    UpstreamAnswer, UpstreamRequest, WriteAhead,
};
use esbgate_model::dialect::Dialect;
use esbgate_server::{Downstream, ReadBody};
use http::Response;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceBuilder, util::BoxCloneSyncService};

use crate::layers::{
    CatchPanicLayer, DetachLayer, ObserveLayer, RespondLayer, ShadowLayer, ShedLayer, apart,
    bracket, gather, stage,
};
use crate::shadow::Shadow;

/// What a listener serves.
pub type Gateway = BoxCloneSyncService<Downstream, Response<Bytes>, Infallible>;

/// What the data plane is made of, besides its ports.
#[derive(Debug, Clone)]
pub struct Parts {
    /// What heads are held to.
    pub head: Arc<HeadRules>,
    /// Reads bodies.
    pub read_body: ReadBody,
    /// The next policy, if there is one.
    pub shadow: Shadow,
    /// The policy in force.
    pub policy: PolicyHandle,
    /// How the upstream is spoken to.
    pub dialect: Dialect,
    /// The series.
    pub metrics: Metrics,
    /// Who is told of ended requests.
    pub sink: Arc<dyn TraceSink>,
    /// Most requests inside.
    pub in_flight: u64,
    /// Requests inside.
    pub inside: Rooms,
    /// Tasks of calls that nobody can cancel.
    pub tasks: TaskTracker,
}

/// Composes the data plane, outermost layer first.
pub fn stack<L, J, U>(parts: Parts, login: L, journal: J, upstream: U) -> Gateway
where
    L: Login + Clone + 'static,
    J: Journal + Clone + 'static,
    U: Service<UpstreamRequest, Response = UpstreamAnswer, Error = Rejection, Future: Send>,
    U: Clone + Send + Sync + 'static,
{
    BoxCloneSyncService::new(
        ServiceBuilder::new()
            .layer(ObserveLayer::new(Arc::clone(&parts.head), parts.sink)) // outermost: sees refusals too
            .layer(RespondLayer) // the only place where a rejection becomes a response
            .layer(CatchPanicLayer::new(parts.metrics.clone()))
            .layer(ShedLayer::new(parts.in_flight, parts.inside)) // before any work is done
            .layer(gather(parts.read_body))
            .layer(ShadowLayer::new(parts.shadow, login.clone(), parts.tasks.clone())) // sees whole requests and their fate
            .layer(stage(Parse(parts.head))) // one meaning, credentials set apart, nothing decoded
            .layer(stage(MatchRoute(parts.policy))) // pins the policy generation
            .layer(stage(ProveApp::default())) // local and cheap: before all that waits or decodes
            .layer(bracket(Admit)) // before the login service: junk must not reach it
            .layer(stage(Interpret)) // the model under this application's switches
            .layer(gather(Introspect(login)))
            .layer(stage(Authenticate))
            .layer(DetachLayer::new(parts.tasks, parts.metrics)) // from here on the caller cannot cancel
            .layer(bracket(Once)) // before rights and budgets: a repeat is not judged again
            .layer(apart(Authorize, Authorize::is_long)) // before host budgets: a refused call spends no hosts
            .layer(bracket(Charge))
            .layer(bracket(WriteAhead(journal))) // after every refusal: an intent means it was due
            .layer(stage(Prepare(parts.dialect))) // last: nothing edits the message after it
            .service(upstream),
    )
}
