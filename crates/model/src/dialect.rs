//! How a call is written to an upstream and how its answer is read: one module per kind of upstream.
//!
//! A dialect knows words, not rights: it is handed a call that was already judged.

mod answer;
mod app_credential;
mod esb;
mod esb_legacy;
mod mask;

use bytes::Bytes;
use http::HeaderValue;

pub use self::{
    answer::{Answer, Meaning, Outcome},
    app_credential::{AppSecrets, Credential},
};
use crate::{Component, ComponentCall, Name, Needles, Secret};

/// Which dialect the upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The current ESB: the credential travels in `X-Bkapi-Authorization`, which the ESB does not log.
    Esb,
    /// bk-paas 2.x: it cannot see the header, so the credential travels in the body, which it logs.
    EsbLegacy,
}

/// Whom the ESB is told that the call comes from.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// `bk_app_code`.
    pub app_code: &'a Name,
    /// `bk_app_secret`.
    pub app_secret: &'a Secret,
    /// The one user key.
    pub user: User<'a>,
}

/// The one user key that is sent.
#[derive(Debug, Clone, Copy)]
pub enum User<'a> {
    /// A verified `bk_token`: JOB then sees a verified user.
    Token(&'a Secret),
    /// `bk_username`: the ESB believes the gateway.
    Name(&'a Name),
}

/// What is sent, but for the allow-listed headers.
#[derive(Debug)]
pub struct Message {
    /// `X-Bkapi-Authorization`, where the dialect uses it. Marked sensitive.
    pub authorization: Option<HeaderValue>,
    /// The canonical JSON.
    pub body: Bytes,
}

/// The call cannot be written; not expected of a call that was read by this crate.
#[derive(Debug, thiserror::Error)]
#[error("the call cannot be written")]
pub struct Unwritable;

impl Dialect {
    /// Writes the message.
    pub fn write(self, sender: Sender<'_>, call: &ComponentCall) -> Result<Message, Unwritable> {
        match self {
            Self::Esb => esb::write(sender, call),
            Self::EsbLegacy => esb_legacy::write(sender, call),
        }
    }

    /// Writes the message once more, from another sender. A body that does not tell the sender is shared.
    pub fn write_again(
        self,
        message: &Message,
        sender: Sender<'_>,
        call: &ComponentCall,
    ) -> Result<Message, Unwritable> {
        match self {
            Self::Esb => {
                let authorization = Some(esb::authorization(sender)?);
                Ok(Message { authorization, body: message.body.clone() })
            }
            Self::EsbLegacy => esb_legacy::write(sender, call),
        }
    }

    /// Reads an answer to a call of `component`: what it means, and the body that a caller may see.
    #[must_use]
    pub fn read(
        self,
        component: Component,
        status: http::StatusCode,
        body: &[u8],
        echoes: &Needles,
    ) -> Answer {
        match self {
            Self::Esb | Self::EsbLegacy => answer::read(component, status, body, echoes),
        }
    }
}

impl User<'_> {
    /// The key and its value.
    fn member(&self) -> (&'static str, &str) {
        match self {
            Self::Token(token) => ("bk_token", token.expose()),
            Self::Name(name) => ("bk_username", name.as_str()),
        }
    }
}
