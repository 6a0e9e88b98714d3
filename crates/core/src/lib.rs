//! The judge of esbgate: what a call must prove before it is made.
//!
//! No runtime, no sockets, no clock: time is a value and the outside world is a port. A state can only be
//! made by the step of its file, so a call that skipped a step does not compile.

mod admin;
mod admit;
mod answer;
mod authenticate;
mod authorize;
mod bucket;
mod charge;
mod differing;
mod freeze;
mod head_fault;
mod hours;
mod interpret;
mod introspect;
mod journal;
mod jwt;
mod limits;
mod login;
mod metrics;
mod network;
mod once;
mod parse;
mod peer;
mod policy;
mod prepare;
mod prove_app;
mod received;
mod record;
mod recorded;
mod rejection;
mod reload;
mod risk;
mod room;
mod route;
mod signatures;
mod step;
mod toll;
mod trace;
mod user_pattern;
mod xray;

pub use self::{
    admin::{AdminPeer, AdminRecord, LookupRecord},
    admit::{Admit, AdmittedCall},
    answer::{Anomaly, Departed, NoAnswer, NotSent, Pending, UpstreamAnswer},
    authenticate::{Authenticate, AuthenticatedCall, Principal, UserProof},
    authorize::{Authorize, GrantedCall, Shortfall},
    bucket::{Bucket, Charge as Paid, Left, Quota, Refused},
    charge::{Charge, ChargedCall},
    differing::{Decided, ShadowRecord},
    freeze::{Freeze, FreezeFault, FreezeHandle, FreezeSubject, Freezes, FrozenScript},
    head_fault::HeadFault,
    hours::{Holidays, Hours},
    interpret::{Call, Interpret},
    introspect::{Introspect, IntrospectedCall},
    journal::{JournaledCall, Reply, SettledAnswer, WriteAhead},
    jwt::{Carrier, Claims, Issuer, IssuerKey, JwtFault},
    limits::{GrantLimits, GrantState, Limit, LimitSet, Limits, Shadow, Weights, shadowed},
    login::{Login, LoginDown, Verdict},
    metrics::{
        AppMetrics, CacheResult, JournalMetrics, LoginMetrics, LoginResult, Metrics, NAMED_APPS,
        NextPolicyMetrics, OutcomeClass, RecordKind, ReloadMetrics, RiskMetrics, ShadowMetrics,
        ShadowResult, SinkMetrics, SinksMetrics, Standing, StandingMetrics, Tampered, Unrecorded,
        UpstreamMetrics, UpstreamResult,
    },
    network::Network,
    once::{FreshCall, Once},
    parse::{HeadRules, Parse, ParsedCall},
    peer::Peer,
    policy::{
        AccountGrant, Allow, App, AppKey, AppState, Binding, BusinessGrant, Exemption, Grant,
        HttpStatus, Ledger, NamedBy, Policy, PolicyHandle, Risks, ScriptGrant, TargetGrant, Users,
    },
    prepare::{OutgoingMessage, Prepare, UpstreamRequest},
    prove_app::{AppCall, AppProof, ProofThrottle, ProveApp},
    received::{BodyBudget, BodyPermit, CertificateName, Clock, ReceivedAt, ReceivedRequest},
    record::{Intent, Journal, JournalDown, OutcomeRecord, RefusalRecord, Ticket},
    recorded::{Hidden, RecordedCall, RecordedRefusal, RecordedVerdict, Untold},
    rejection::{AppFault, Rejection, UserFault},
    reload::{ReloadCause, ReloadRecord, ReloadResult},
    risk::{
        PatternFault, RiskAction, RiskField, RiskMatch, RiskParts, RiskRule, RiskRules, UNFOLDABLE,
    },
    room::{Room, Rooms},
    route::{MatchRoute, RoutedCall},
    step::{Bracket, Gather, Stage},
    trace::{BudgetLeft, Nobody, Trace, TraceSink},
    user_pattern::UserPattern,
};
