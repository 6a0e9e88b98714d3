//! A faithful, faultable stand-in for the BlueKing ESB, its login service and JOB.
//!
//! It serves the demo, end-to-end tests and benches, and uses nothing of the gateway, so that a mistake cannot be
//! made alike on both sides. The ESB is the current one: the auth header beats the body, a chunked body is an empty
//! body, the last of two names wins, GET runs a job as well, and failures are HTTP 200.
//!
//! ```
//! use esbgate_standin::{Fault, Options, Standin};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let standin = Standin::start(Options::default()).await?;
//! println!("ESB {}, login {}", standin.esb_url(), standin.login_url());
//!
//! // The next request is answered by a proxy's page although JOB has run it.
//! standin.esb_faults().arm(Fault::html(502).once());
//! // Until cleared, starting a job is not answered, and JOB does nothing.
//! standin.esb_faults().arm(Fault::Silence.always().on("operate_job_instance").without_running());
//! // A gate: what has come is held until it is released.
//! let gate = standin.login_faults().arm(Fault::HoldBeforeRun);
//! gate.release();
//! standin.esb_faults().refuse_connections().await;
//! standin.esb_faults().accept_connections().await;
//! standin.esb_faults().clear();
//!
//! assert_eq!(standin.history().request_count(), 0);
//! standin.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Options::default`] makes the document's sample call succeed; [`World`] says who and what is known and
//! [`Standin::change`] changes it while it runs. [`Faults::arm`] switches a [`Fault`] on, for the next requests or
//! until [`Faults::clear`]; rules are met in the order in which they were armed, and the returned [`Armed`] waits for
//! them to be met and lets go what they hold. [`History`] has every request byte for byte, who it was taken for, and
//! every job that was made. An identity that came from a gateway JWT, an access token or the debug switch shows up
//! as [`BYPASS`]: a test that sees it has found a hole.

mod clock;
mod connection;
mod esb;
mod far_side;
mod fault;
mod guarded;
mod history;
mod http;
mod job;
mod json;
mod listener;
mod login;
mod standin;
mod urlencoded;
mod wire;
mod world;

pub use esb::EsbError;
pub use fault::{Armed, Echo, Fault, Faults, Missing, Rule};
pub use history::{
    AppProof, CredentialPlace, History, Identity, LoginQuestion, Resolved, UserProof,
};
pub use http::Request;
pub use job::{Job, ScriptSource, Targets};
pub use standin::{Options, Standin};
pub use world::{Account, App, BYPASS, Business, Script, ScriptStatus, ScriptVersion, World};
