//! Bytes out: the ESB client, which knows whether a byte of a call left the gateway, and the login service.
//!
//! Timeouts live here, because only the one who writes knows what was sent.

mod endpoint;
mod esb;
mod kept;
mod login;
mod talk;
mod tls;
mod wire;

pub use self::{
    endpoint::OptionsError,
    esb::{DEFAULT_ANSWER_LIMIT, Esb, EsbOptions},
    login::{LoginOptions, LoginService},
    tls::{TlsFault, tls_config, tls_config_with_certificate},
};
