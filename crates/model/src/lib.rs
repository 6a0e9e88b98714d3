//! The words of esbgate: what callers may say, what the gateway says to the ESB, and the codes of its
//! answers. Nothing here decides who may do what.

mod base64_text;
mod callback;
mod code;
mod component;
mod component_call;
mod credential;
pub mod dialect;
mod digest;
mod executed;
mod fast_execute_script;
mod fault;
mod fields;
pub mod json;
mod language;
mod name;
mod needles;
mod plain_call;
mod scope;
mod secret;

pub use self::{
    base64_text::{Base64Fault, Blanks, decode as decode_base64},
    callback::{CallbackFault, CallbackPrefix, CallbackUrl},
    code::{Code, Origin},
    component::{Care, Component, Extent, Field, Form, Hidden, Kind, Reach, SdkMethod, Service},
    component_call::ComponentCall,
    credential::{Credentials, IDENTITY_KEYS, identity_in_body, identity_in_header},
    digest::{hex, sha256, sha256_from_hex, sha256_hex},
    executed::Executed,
    fast_execute_script::{
        Account, Content, FastExecuteScript, Host, HostPassword, Param, PasswordHost,
        RollingConfig, Script, ScriptLanguage, Switches, Target, TopologyNode, UnknownFields,
    },
    fault::{Fault, Faults, Rule},
    language::{Language, Text},
    name::{Name, NameFault},
    needles::Needles,
    plain_call::{Carried, PlainCall},
    scope::Scope,
    secret::Secret,
};
