//! Establishes what is being asked for: the closed model under the application's switches, all faults at
//! once. The caller's bytes end here.

use esbgate_model::ComponentCall;

use crate::{AdmittedCall, Rejection, Stage};

/// A call whose meaning is known.
#[derive(Debug)]
pub struct Call {
    admitted: AdmittedCall,
    /// Boxed, because every later state holds it and is moved at each step.
    asked: Box<ComponentCall>,
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

    pub(crate) fn into_parts(self) -> (AdmittedCall, Box<ComponentCall>) {
        (self.admitted, self.asked)
    }
}

/// The stage that makes a [`Call`].
#[derive(Debug, Clone, Copy)]
pub struct Interpret;

impl Stage for Interpret {
    type In = AdmittedCall;
    type Out = Call;

    fn run(&self, mut admitted: AdmittedCall) -> Result<Call, Rejection> {
        // This step alone takes it, and runs once for a call.
        let document = admitted.parsed_mut().take_document().ok_or(Rejection::Internal)?;
        let app_call = admitted.app_call();
        let component = app_call.routed().component();
        let asked = ComponentCall::read(component, &document, app_call.app().switches)
            .map_err(|faults| Rejection::Faulty(Box::new(faults)))?;
        drop(document);
        // From here on the call is kept, while others are waited for, in the place of its body.
        if admitted.parsed_mut().permit_mut().cover(asked.footprint()) {
            Ok(Call { admitted, asked: Box::new(asked) })
        } else {
            Err(Rejection::NoRoom)
        }
    }
}
