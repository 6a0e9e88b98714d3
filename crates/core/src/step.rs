//! One step in the life of a call: a stage judges, a gather waits, a bracket acts on the way in and out.

use std::future::Future;

use crate::Rejection;

/// A judgement: moves a call to its next state, or says why it stops here. Never waits.
pub trait Stage {
    /// The state this stage accepts.
    type In;
    /// The state this stage establishes; no other code can make one.
    type Out;

    /// Judges.
    fn run(&self, input: Self::In) -> Result<Self::Out, Rejection>;
}

/// A question to the outside world, asked through a port. Adds one fact; judges nothing.
pub trait Gather {
    /// The state this step accepts.
    type In;
    /// The state that holds the fact as well.
    type Out;

    /// Waits for the fact, or says that it cannot be had.
    fn run(&self, input: Self::In) -> impl Future<Output = Result<Self::Out, Rejection>> + Send;
}

/// A step with two ends: what it takes on the way in is settled on the way out. A refusal further in
/// settles it too, because the state that holds it is dropped.
pub trait Bracket {
    /// The state this step accepts.
    type In;
    /// The state this step establishes.
    type Out;
    /// The answer that comes back from further in.
    type Inner;
    /// The answer that goes out.
    type Outer;

    /// The way in.
    fn enter(&self, input: Self::In) -> impl Future<Output = Result<Self::Out, Rejection>> + Send;

    /// The way out.
    fn leave(&self, answer: Self::Inner) -> impl Future<Output = Self::Outer> + Send;
}
