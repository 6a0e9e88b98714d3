//! Establishes what is being asked for: the closed model under the application's switches, all faults at
//! once. The caller's bytes end here.

use esbgate_model::FastExecuteScript;

use crate::{AdmittedCall, Rejection, Stage};

/// A call whose meaning is known.
#[derive(Debug)]
pub struct Call {
    admitted: AdmittedCall,
    script: FastExecuteScript,
}

impl Call {
    /// The admitted call.
    #[must_use]
    pub fn admitted(&self) -> &AdmittedCall {
        &self.admitted
    }

    /// What to run, and where.
    #[must_use]
    pub fn script(&self) -> &FastExecuteScript {
        &self.script
    }

    pub(crate) fn into_parts(self) -> (AdmittedCall, FastExecuteScript) {
        (self.admitted, self.script)
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
        let document = app_call.routed().parsed().document();
        let script = FastExecuteScript::read(document, app_call.app().switches)
            .map_err(|faults| Rejection::Faulty(Box::new(faults)))?;
        Ok(Call { admitted, script })
    }
}
