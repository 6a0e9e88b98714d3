//! The gateway as its callers meet it: real sockets, the stand-ins behind it, the journal on disk.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first fault")]
#![allow(unreachable_pub, reason = "the modules of one test binary")]

mod admin;
mod admin_explain;
mod admin_policy;
mod attacks;
mod audit;
mod budgets;
mod calls;
mod calls_doc;
mod catalog;
mod certificates;
mod clients;
mod distrust;
mod drip;
mod echoes;
mod faults;
mod freezes;
mod heads;
mod hours;
mod identity;
mod journal_down;
mod jwt;
mod jwt_algorithms;
mod log;
mod login_distrust;
mod lookup;
mod must_hold;
mod proxies;
mod raw_server;
mod records;
mod refusals;
mod reload;
mod replay;
mod risk_rules;
mod risks;
mod room;
mod rotation;
mod secrets;
mod served;
mod shadow;
mod sinks;
mod sums;
mod support;
mod tls;
mod vectors;
