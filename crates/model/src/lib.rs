//! The words of esbgate: what callers may say, what the gateway says to the ESB, and the codes of its
//! answers. Nothing here decides who may do what.

mod base64_text;
mod callback;
mod code;
mod component;
mod credential;
pub mod dialect;
mod executed;
mod fast_execute_script;
mod fault;
pub mod json;
mod language;
mod name;
mod needles;
mod secret;

pub use self::{
    base64_text::{Base64Fault, Blanks, decode as decode_base64},
    callback::{CallbackFault, CallbackPrefix, CallbackUrl},
    code::{Code, Origin},
    component::{Component, Kind},
    credential::{Credentials, IDENTITY_KEYS, identity_in_body, identity_in_header},
    executed::Executed,
    fast_execute_script::{
        Account, Content, FastExecuteScript, Host, HostPassword, Param, PasswordHost,
        RollingConfig, Scope, Script, ScriptLanguage, Switches, Target, TopologyNode,
        UnknownFields, sha256,
    },
    fault::{Fault, Faults, Rule},
    language::{Language, Text},
    name::{Name, NameFault},
    needles::Needles,
    secret::Secret,
};
