//! Establishes what is being asked for: the closed model under the application's switches, all faults at
//! once. The caller's bytes end here.

use esbgate_model::ComponentCall;

use crate::{AdmittedCall, Rejection, Stage};

/// A call whose meaning is known.
#[derive(Debug)]
pub struct Call {
    admitted: AdmittedCall,
    asked: ComponentCall,
}

impl Call {
    /// The admitted call.
    #[must_use]
    pub fn admitted(&self) -> &AdmittedCall {
        &self.admitted
    }

    /// What is asked for.
    #[must_use]
    pub fn asked(&self) -> &ComponentCall {
        &self.asked
    }

    pub(crate) fn into_parts(self) -> (AdmittedCall, ComponentCall) {
        (self.admitted, self.asked)
    }
}

/// The stage that makes a [`Call`].
#[derive(Debug, Clone, Copy)]
pub struct Interpret;

impl Stage for Interpret {
    type In = AdmittedCall;
    type Out = Call;

    fn run(&self, admitted: AdmittedCall) -> Result<Call, Rejection> {
        let app_call = admitted.app_call();
        let routed = app_call.routed();
        let document = routed.parsed().document();
        let asked = ComponentCall::read(routed.component(), document, app_call.app().switches)
            .map_err(|faults| Rejection::Faulty(Box::new(faults)))?;
        Ok(Call { admitted, asked })
    }
}
