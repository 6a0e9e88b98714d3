//! The steps of a call up to the point where it would be put on record.

use std::sync::Arc;

use esbgate_core::{
    Admit, Authenticate, Authorize, BodyPermit, Bracket as _, Charge, Gather as _, HeadRules,
    Interpret, Introspect, Login, MatchRoute, Nobody, Once, Parse, PolicyHandle, ProveApp,
    ReceivedRequest, Rejection, Stage as _, Trace,
};

use crate::layers::run_apart;

/// The same request, which nobody is told of.
pub(super) fn copy(request: &ReceivedRequest, permit: BodyPermit) -> ReceivedRequest {
    let (peer, received_at) = (request.peer.clone(), request.received_at);
    let id = request.trace.request_id().into();
    let trace = Trace::new(id, peer.clone(), received_at, Arc::new(Nobody));
    ReceivedRequest {
        method: request.method.clone(),
        uri: request.uri.clone(),
        version: request.version,
        headers: request.headers.clone(),
        body: request.body.clone(),
        permit,
        peer,
        received_at,
        trace,
    }
}

/// Takes a request through every step that judges. What it holds of budgets stays spent, as if the call had been made.
pub(super) async fn walk<L: Login>(
    request: ReceivedRequest,
    head: &Arc<HeadRules>,
    policy: &PolicyHandle,
    prove_app: &ProveApp,
    login: L,
) -> Result<(), Rejection> {
    let parsed = Parse(Arc::clone(head)).run(request)?;
    let routed = MatchRoute(policy.clone()).run(parsed)?;
    let admitted = Admit.enter(prove_app.run(routed)?).await?;
    let asked = Introspect(login).run(Interpret.run(admitted)?).await?;
    let fresh = Once.enter(Authenticate.run(asked)?).await?;
    let granted = if Authorize::is_long(&fresh) {
        run_apart(Authorize, fresh).await?
    } else {
        Authorize.run(fresh)?
    };
    Charge.enter(granted).await?.depart();
    Ok(())
}
