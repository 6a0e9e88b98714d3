//! Puts the intent on record before a byte leaves, and the outcome before a caller learns it.
//!
//! After every refusal, so that an intent means that the call was due. Only what this bracket has settled
//! can become a response.

use esbgate_model::{Code, Executed, dialect::Outcome};

use crate::{
    Bracket, ChargedCall, Intent, Journal, OutcomeClass, OutcomeRecord, Rejection, Ticket,
    UpstreamAnswer,
    answer::{Fate, NoAnswer, Obligations},
    trace::note,
};

/// A call that is on record.
#[derive(Debug)]
pub struct JournaledCall {
    charged: ChargedCall,
    ticket: Ticket,
}

impl JournaledCall {
    pub(crate) fn into_parts(self) -> (ChargedCall, Ticket) {
        (self.charged, self.ticket)
    }
}

/// An answer whose outcome is on record, or is known not to be.
#[derive(Debug)]
pub struct SettledAnswer {
    fate: Fate,
    recorded: bool,
    obligations: Obligations,
}

/// What a caller gets.
#[derive(Debug)]
pub enum Reply {
    /// The ESB's own answer, with `executed`.
    Upstream {
        /// The ESB's status.
        status: http::StatusCode,
        /// The ESB's object.
        body: bytes::Bytes,
    },
    /// An answer of ours.
    Own(Code),
    /// The call was made, and that could not be written down: the job ids, and a code of ours.
    Unrecorded {
        /// The job.
        job_instance_id: Option<i64>,
        /// The step.
        step_instance_id: Option<i64>,
    },
}

impl SettledAnswer {
    /// What the caller gets.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        match self.fate {
            Fate::Answered(answer) => {
                let meaning = answer.meaning;
                match (meaning.outcome, meaning.executed) {
                    (Outcome::Unreadable, _) => Reply::Own(Code::BadGateway),
                    (_, Executed::Yes) if !self.recorded => Reply::Unrecorded {
                        job_instance_id: meaning.job_instance_id,
                        step_instance_id: meaning.step_instance_id,
                    },
                    (Outcome::Success | Outcome::Failed | Outcome::Unknown, _) => {
                        Reply::Upstream { status: answer.status, body: answer.body }
                    }
                }
            }
            fate @ (Fate::NotSent(_) | Fate::Silent(_)) => {
                Reply::Own(fate.code().unwrap_or(Code::BadGateway))
            }
        }
    }

    pub(crate) fn give_slot_back(&mut self) {
        self.obligations.slot = None;
    }

    pub(crate) fn settle_charge(&mut self) {
        let mut paid = std::mem::take(&mut self.obligations.paid);
        match self.fate {
            Fate::NotSent(_) => paid.release(),
            Fate::Answered(_) | Fate::Silent(_) => paid.keep(),
        }
    }
}

impl Fate {
    fn code(&self) -> Option<Code> {
        match self {
            Self::NotSent(_) => Some(Code::UpstreamUnreachable),
            Self::Silent(NoAnswer::Timeout) => Some(Code::RequestBackendTimeout),
            Self::Silent(NoAnswer::Broken(_)) => Some(Code::BadGateway),
            Self::Answered(answer) => match answer.meaning.outcome {
                Outcome::Unreadable => Some(Code::BadGateway),
                Outcome::Success | Outcome::Failed | Outcome::Unknown => None,
            },
        }
    }

    fn class(&self) -> (OutcomeClass, Executed) {
        match self {
            Self::NotSent(_) => (OutcomeClass::Unavailable, Executed::No),
            Self::Silent(_) => (OutcomeClass::Unknown, Executed::Unknown),
            Self::Answered(answer) => {
                let class = match answer.meaning.outcome {
                    Outcome::Success => OutcomeClass::Success,
                    Outcome::Failed => OutcomeClass::Failed,
                    Outcome::Unknown | Outcome::Unreadable => OutcomeClass::Unknown,
                };
                (class, answer.meaning.executed)
            }
        }
    }
}

/// The bracket that makes a [`JournaledCall`] and a [`SettledAnswer`].
#[derive(Debug, Clone)]
pub struct WriteAhead<J>(pub J);

impl<J: Journal> Bracket for WriteAhead<J> {
    type In = ChargedCall;
    type Out = JournaledCall;
    type Inner = UpstreamAnswer;
    type Outer = SettledAnswer;

    async fn enter(&self, charged: ChargedCall) -> Result<JournaledCall, Rejection> {
        let granted = charged.granted();
        let authenticated = granted.fresh().authenticated();
        let principal = authenticated.principal();
        let call = authenticated.call();
        let app_call = call.admitted().app_call();
        let routed = app_call.routed();
        let parsed = routed.parsed();
        let intent = Intent {
            request_id: parsed.trace().request_id(),
            received_at: parsed.received_at(),
            peer: parsed.peer().address(),
            app: principal.app(),
            app_proofs: app_call.proofs(),
            user: principal.user(),
            user_proof: principal.proof(),
            token: authenticated.verified_token(),
            component: routed.component().name(),
            call: call.asked(),
            host_runs: granted.host_runs(),
            generation: routed.policy().generation,
            grant: granted.grant(),
            acts_as: &app_call.app().acts_as.app_code,
            risk: granted.risk(),
            shadowed: charged.shadowed(),
        };
        let ticket = self.0.intend(&intent).await?;
        Ok(JournaledCall { charged, ticket })
    }

    async fn leave(&self, answer: UpstreamAnswer) -> SettledAnswer {
        let (fate, mut obligations) = answer.into_parts();
        let outcome = fate.class();
        let trace = &obligations.trace;
        note(&trace.outcome, outcome);
        let mut record = OutcomeRecord::unanswered(trace.request_id(), outcome, fate.code());
        match &fate {
            Fate::NotSent(why) => note(&trace.upstream_message, why.to_string().into()),
            Fate::Silent(why) => note(&trace.upstream_message, why.to_string().into()),
            Fate::Answered(_) => {}
        }
        if let Fate::Answered(answer) = &fate {
            let meaning = &answer.meaning;
            record.upstream_status = Some(answer.status.as_u16());
            record.upstream_code = meaning.code;
            record.upstream_request_id = meaning.request_id.as_deref();
            record.job_request_id = meaning.job_request_id.as_deref();
            record.job_instance_id = meaning.job_instance_id;
            record.step_instance_id = meaning.step_instance_id;
            if let Some(id) = &meaning.request_id {
                note(&trace.upstream_request_id, id.clone());
            }
            if !meaning.message.is_empty() {
                note(&trace.upstream_message, meaning.message.clone());
            }
            if meaning.credential_refused {
                obligations.app.metrics.credential_refused();
            }
        }
        if record.executed != Executed::No {
            obligations.app.metrics.ran_on(obligations.component, obligations.host_runs);
        }
        let recorded = match obligations.ticket.take() {
            Some(ticket) => self.0.settle(ticket, &record).await.is_ok(),
            None => false,
        };
        SettledAnswer { fate, recorded, obligations }
    }
}
