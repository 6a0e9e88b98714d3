//! Runs a [`Stage`] as a tower layer, and on a thread of its own where it would keep other calls waiting.

use std::{
    mem,
    panic::resume_unwind,
    task::{Context, Poll},
};

use esbgate_core::{Rejection, Stage};
use futures_util::future::Either;
use tokio::task::spawn_blocking;
use tower_layer::Layer;
use tower_service::Service;

use super::{BoxFuture, StageService, stage};

/// Lays `stage` over the rest of the stack. What is `long` is judged apart from the threads that carry connections.
pub fn apart<K: Stage + Clone>(stage: K, long: fn(&K::In) -> bool) -> ApartLayer<K> {
    ApartLayer { stage, long }
}

/// See [`apart`].
#[derive(Debug)]
pub struct ApartLayer<K: Stage> {
    stage: K,
    long: fn(&K::In) -> bool,
}

/// See [`apart`].
#[derive(Debug)]
pub struct ApartService<K: Stage, S> {
    staged: StageService<K, S>,
    long: fn(&K::In) -> bool,
}

// Derived, they would ask for inputs that can be cloned.
impl<K: Stage + Clone> Clone for ApartLayer<K> {
    fn clone(&self) -> Self {
        Self { stage: self.stage.clone(), long: self.long }
    }
}

impl<K: Stage + Clone, S: Clone> Clone for ApartService<K, S> {
    fn clone(&self) -> Self {
        Self { staged: self.staged.clone(), long: self.long }
    }
}

impl<K, S> Layer<S> for ApartLayer<K>
where
    K: Stage + Clone,
    S: Service<K::Out, Error = Rejection>,
{
    type Service = ApartService<K, S>;

    fn layer(&self, inner: S) -> Self::Service {
        ApartService { staged: stage(self.stage.clone()).layer(inner), long: self.long }
    }
}

impl<K, S> Service<K::In> for ApartService<K, S>
where
    K: Stage<In: Send + 'static, Out: Send + 'static> + Clone + Send + 'static,
    S: Service<K::Out, Error = Rejection, Response: Send, Future: Send> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = Rejection;
    type Future = Either<
        <StageService<K, S> as Service<K::In>>::Future,
        BoxFuture<Result<S::Response, Rejection>>,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
        self.staged.poll_ready(cx)
    }

    fn call(&mut self, input: K::In) -> Self::Future {
        if !(self.long)(&input) {
            return Either::Left(self.staged.call(input));
        }
        let StageService { stage, inner } = &mut self.staged;
        let (stage, next) = (stage.clone(), inner.clone());
        // The one that was polled ready.
        let mut inner = mem::replace(inner, next);
        Either::Right(Box::pin(async move { inner.call(run_apart(stage, input).await?).await }))
    }
}

/// Runs a stage on a thread of its own.
pub(crate) async fn run_apart<K>(stage: K, input: K::In) -> Result<K::Out, Rejection>
where
    K: Stage<In: Send + 'static, Out: Send + 'static> + Send + 'static,
{
    let judged = spawn_blocking(move || stage.run(input)).await;
    judged.map_err(|fault| match fault.try_into_panic() {
        // Caught where every panic of a call is.
        Ok(panic) => resume_unwind(panic),
        // The runtime ends, and the call with it.
        Err(_) => Rejection::Aborted,
    })?
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Ready, ready},
        thread::{self, ThreadId},
    };

    use tower_service::Service as _;

    use super::*;

    /// Says which thread it ran on.
    #[derive(Debug, Clone)]
    struct Where;

    impl Stage for Where {
        type In = usize;
        type Out = ThreadId;

        fn run(&self, input: usize) -> Result<ThreadId, Rejection> {
            match input {
                0 | 10 => Err(Rejection::BodyTooLarge),
                11 => panic!("planted"),
                _ => Ok(thread::current().id()),
            }
        }
    }

    #[derive(Debug, Clone)]
    struct Echo;

    impl Service<ThreadId> for Echo {
        type Response = ThreadId;
        type Error = Rejection;
        type Future = Ready<Result<ThreadId, Rejection>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejection>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, thread: ThreadId) -> Self::Future {
            ready(Ok(thread))
        }
    }

    fn service() -> ApartService<Where, Echo> {
        apart(Where, |input| *input >= 10).layer(Echo)
    }

    #[tokio::test]
    async fn what_is_long_runs_on_another_thread_and_what_is_short_on_its_own() {
        let here = thread::current().id();
        assert_eq!(service().call(1).await.unwrap(), here);
        assert_ne!(service().call(20).await.unwrap(), here);
    }

    #[tokio::test]
    async fn a_refusal_is_the_same_on_either_thread() {
        for input in [0, 10] {
            assert!(matches!(service().call(input).await, Err(Rejection::BodyTooLarge)), "{input}");
        }
    }

    #[tokio::test]
    async fn a_panic_goes_on_where_the_call_waits() {
        let call = tokio::spawn(service().call(11));
        assert!(call.await.unwrap_err().is_panic());
    }
}
