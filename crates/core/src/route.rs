//! Establishes which component is called and which generation of policy governs the call from here on.

use std::sync::Arc;

use esbgate_model::Component;

use crate::{ParsedCall, Policy, PolicyHandle, Rejection, Stage, trace::note};

/// A call of one component under one generation of policy.
#[derive(Debug)]
pub struct RoutedCall {
    parsed: ParsedCall,
    policy: Arc<Policy>,
}

impl RoutedCall {
    /// The parsed request.
    #[must_use]
    pub fn parsed(&self) -> &ParsedCall {
        &self.parsed
    }

    /// The component.
    #[must_use]
    pub fn component(&self) -> Component {
        self.parsed.component()
    }

    pub(crate) fn parsed_mut(&mut self) -> &mut ParsedCall {
        &mut self.parsed
    }

    pub(crate) fn into_parsed(self) -> ParsedCall {
        self.parsed
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// The stage that makes a [`RoutedCall`]; the only reader of the policy handle.
#[derive(Debug, Clone)]
pub struct MatchRoute(pub PolicyHandle);

impl Stage for MatchRoute {
    type In = ParsedCall;
    type Out = RoutedCall;

    fn run(&self, parsed: ParsedCall) -> Result<RoutedCall, Rejection> {
        let policy = self.0.pin();
        note(&parsed.trace().generation, policy.generation);
        Ok(RoutedCall { parsed, policy })
    }
}
