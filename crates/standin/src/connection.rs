//! One connection from accept to end: read, meet faults, handle, answer.

use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::esb;
use crate::far_side::FarSide;
use crate::fault::{After, Fault, Faults, Hit, play, script};
use crate::http::{self, Answer, ReadFault, Request};
use crate::job::Effect;
use crate::login;
use crate::wire::Wire;

/// One listening service.
pub(crate) struct Site {
    pub(crate) kind: Kind,
    pub(crate) far_side: Arc<FarSide>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) keep_alive: bool,
}

/// Which service it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Esb,
    Login,
}

impl Site {
    fn arrived(&self, request: &Arc<Request>) {
        match self.kind {
            Kind::Esb => self.far_side.history().request_arrived(request),
            Kind::Login => login::arrive(&self.far_side, request),
        }
    }

    fn broke(&self) {
        if self.kind == Kind::Esb {
            self.far_side.history().broke();
        }
    }

    fn handle(&self, request: &Request, effect: Effect) -> Answer {
        match self.kind {
            Kind::Esb => esb::answer(&self.far_side, request, effect),
            Kind::Login => login::answer(&self.far_side, request),
        }
    }

    /// The answer that a fault puts in the place of the real one.
    fn replaced(&self, fault: &Fault, request: &Request) -> Option<Answer> {
        if let Fault::Refuse(error) = fault {
            Some(esb::answer_error(&self.far_side, request, error))
        } else if let Fault::Echo(how) = fault {
            Some(match self.kind {
                Kind::Esb => esb::answer_echo(&self.far_side, request, *how),
                Kind::Login => login::answer_echo(request, *how),
            })
        } else if let Fault::Respond { status, content_type, body } = fault {
            Some(Answer { content_type, ..Answer::json(*status, body.clone()) })
        } else {
            None
        }
    }

    /// A good answer to a question that was not read yet.
    fn early_answer(&self) -> Answer {
        let body: &[u8] = match self.kind {
            Kind::Esb => {
                br#"{"result": true, "code": 0, "message": "", "data": {"job_instance_id": 1, "job_instance_name": "early", "step_instance_id": 2}}"#
            }
            Kind::Login => {
                br#"{"result": true, "code": "00", "message": "", "data": {"username": "early"}}"#
            }
        };
        Answer::json(200, body.to_vec())
    }
}

/// Serves one accepted connection to its end.
pub(crate) async fn serve(stream: TcpStream, site: Arc<Site>) {
    if site.kind == Kind::Esb {
        site.far_side.history().connected();
    }
    let hit = site.faults.at_accept();
    if let Some(hit) = &hit {
        hit.announce();
        if matches!(hit.fault, Fault::CloseOnAccept) {
            return Wire::Plain(stream).end().await;
        }
        if matches!(hit.fault, Fault::ResetOnAccept) {
            return Wire::Plain(stream).flush_and_reset().await;
        }
        if matches!(hit.fault, Fault::HoldOnAccept) {
            hit.released().await;
        }
    }
    let Some(mut wire) = shake_hands(stream, &site).await else { return };
    let early = hit.is_some_and(|hit| matches!(hit.fault, Fault::AnswerBeforeRead));
    let mut buffer = Vec::new();
    if early {
        answer_early(&mut wire, &mut buffer, &site).await;
    } else {
        while exchange(&mut wire, &mut buffer, &site).await == After::GoOn {}
    }
}

async fn shake_hands(stream: TcpStream, site: &Site) -> Option<Wire> {
    // Without it an answer of two writes would wait for the peer's delayed acknowledgement.
    drop(stream.set_nodelay(true));
    let Some(tls) = &site.tls else { return Some(Wire::Plain(stream)) };
    tls.accept(stream).await.ok().map(|stream| Wire::Tls(Box::new(stream)))
}

async fn answer_early(wire: &mut Wire, buffer: &mut Vec<u8>, site: &Site) {
    let written = wire.write_all(&site.early_answer().encode(false)).await;
    if written.is_ok() && wire.flush().await.is_ok() {
        if let Ok(request) = http::read(wire, buffer).await {
            site.arrived(&Arc::new(request));
        }
        wire.end().await;
    }
}

/// One request and its answer.
async fn exchange(wire: &mut Wire, buffer: &mut Vec<u8>, site: &Site) -> After {
    let Some(request) = receive(wire, buffer, site).await else { return After::Over };
    let hit = match site.faults.at_request(request.target()) {
        Some(hold) if matches!(hold.fault, Fault::HoldBeforeRun) => {
            hold.announce();
            hold.released().await;
            site.faults.after_hold(request.target()).or(Some(hold))
        }
        met => met,
    };
    let sent = match &hit {
        None => {
            let answer = site.handle(&request, Effect::Run).encode(site.keep_alive);
            if wire.write_all(&answer).await.is_ok() { After::GoOn } else { After::Over }
        }
        Some(hit) => answer_at_fault(wire, &request, hit, site).await,
    };
    if sent == After::Over || wire.flush().await.is_err() {
        return After::Over;
    }
    if site.keep_alive {
        return After::GoOn;
    }
    if request.has_unread_bytes() {
        wire.end().await;
    } else {
        // The peer may be gone already.
        drop(wire.shutdown().await);
    }
    After::Over
}

/// The next request, noted in the history; what is none is counted, and refused if there is somebody to tell.
async fn receive(wire: &mut Wire, buffer: &mut Vec<u8>, site: &Site) -> Option<Arc<Request>> {
    match http::read(wire, buffer).await {
        Ok(request) => {
            let request = Arc::new(request);
            site.arrived(&request);
            return Some(request);
        }
        Err(ReadFault::Left) => {}
        Err(ReadFault::Broken) => site.broke(),
        Err(ReadFault::Refused(why)) => {
            site.broke();
            if wire.write_all(&Answer::bad_request(why).encode(false)).await.is_ok() {
                wire.end().await;
            }
        }
    }
    None
}

async fn answer_at_fault(wire: &mut Wire, request: &Request, hit: &Hit, site: &Site) -> After {
    let effect = if hit.runs { Effect::Run } else { Effect::Nothing };
    let honest = site.handle(request, effect);
    let answer = site.replaced(&hit.fault, request).unwrap_or(honest);
    if !matches!(hit.fault, Fault::HoldBeforeRun) {
        hit.announce();
    }
    play(wire, script(&hit.fault, &answer, site.keep_alive), hit).await
}
