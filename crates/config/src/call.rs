//! A call that is asked about instead of made: who calls, how the user is known, and with what.

use std::net::IpAddr;

use esbgate_model::Component;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::problem::{Problem, nearest};

/// How the user of a call is taken to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// By a `bk_token` that the login service knows.
    Token,
    /// By `bk_username` alone.
    Exemption,
}

/// A call as somebody describes it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The application's code.
    pub app: String,
    /// The user's name.
    pub user: String,
    /// How the user is known; else by exemption, unless the application takes tokens and has no exemption.
    pub proof: Option<Proof>,
    /// The caller's address.
    pub peer: Option<IpAddr>,
    /// The component.
    pub component: Component,
    /// The parameters, as JSON without identity.
    pub body: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallFile {
    app: String,
    user: String,
    proof: Option<Proof>,
    peer: Option<IpAddr>,
    component: Option<String>,
    /// As it is written: numbers keep their digits, and names that stand twice are the judge's to refuse.
    body: Box<RawValue>,
}

impl Call {
    /// Reads `CALL.json`. What the file says is not repeated in a problem, for a body may hold secrets.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let said: CallFile = serde_json::from_str(text).map_err(|error| {
            let message = match error.classify() {
                serde_json::error::Category::Data => {
                    "expected {app, user, proof, peer, component, body}: names as texts, proof token or \
                     exemption, peer an address, body an object"
                }
                serde_json::error::Category::Syntax
                | serde_json::error::Category::Eof
                | serde_json::error::Category::Io => "the file is no JSON",
            };
            let (line, column) = (error.line(), error.column());
            let problem = Problem::of_file(file, message);
            let count = |at| u64::try_from(at).unwrap_or_default();
            vec![Problem { line: count(line), column: count(column), ..problem }]
        })?;
        let named = said.component.as_deref();
        let component = component(named).map_err(|hint| {
            vec![Problem {
                hint: hint.map(Into::into),
                ..Problem::of_file(file, "unknown component")
            }]
        })?;
        Ok(Self {
            app: said.app,
            user: said.user,
            proof: said.proof,
            peer: said.peer,
            component,
            body: said.body.get().as_bytes().to_vec(),
        })
    }
}

/// The component of this name, `fast_execute_script` if none is named; else what was probably meant.
pub(crate) fn component(name: Option<&str>) -> Result<Component, Option<String>> {
    let Some(name) = name else { return Ok(Component::fast_execute_script()) };
    let known = || Component::all().map(Component::name);
    Component::named(name).ok_or_else(|| nearest(name, known()))
}
