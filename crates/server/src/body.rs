//! Reads whole bodies: under a limit, a deadline and the budget of bytes that all bodies share.
//!
//! First of all steps, because none of them may judge half a request.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use esbgate_core::{BodyBudget, BodyPermit, Gather, ReceivedRequest, Rejection};
use http_body::Body;
use http_body_util::BodyExt;

use crate::{Downstream, EnteredRequest, TracedRequest};

/// What is allocated on the word of a `Content-Length` alone.
const UP_FRONT: u64 = 64 * 1024;

/// The gather that makes a [`ReceivedRequest`].
#[derive(Debug, Clone)]
pub struct ReadBody {
    limit: u64,
    body_time: Duration,
    budget: Arc<BodyBudget>,
}

impl ReadBody {
    /// Bodies of at most `limit` bytes, each whole within `body_time`, all together within `budget`.
    #[must_use]
    pub fn new(limit: u64, body_time: Duration, budget: Arc<BodyBudget>) -> Self {
        Self { limit, body_time, budget }
    }

    async fn read<B>(&self, body: B) -> Result<(Vec<u8>, BodyPermit), Rejection>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if body.size_hint().lower() > self.limit {
            return Err(Rejection::BodyTooLarge);
        }
        let permit = self.budget.take(0).ok_or(Rejection::NoRoom)?;
        tokio::time::timeout(self.body_time, self.collect(body, permit))
            .await
            .map_err(|_| Rejection::BodyTimeout)?
    }

    async fn collect<B>(
        &self,
        mut body: B,
        mut permit: BodyPermit,
    ) -> Result<(Vec<u8>, BodyPermit), Rejection>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let announced = body.size_hint().lower().min(UP_FRONT);
        let mut whole = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
        while let Some(frame) = body.frame().await {
            // Trailers say nothing that a call may depend on.
            let Ok(data) = frame.map_err(|_| Rejection::BodyBroken)?.into_data() else {
                continue;
            };
            let more = data.len() as u64;
            if whole.len() as u64 + more > self.limit {
                return Err(Rejection::BodyTooLarge);
            }
            if !permit.grow(more) {
                return Err(Rejection::NoRoom);
            }
            whole.extend_from_slice(&data);
        }
        Ok((whole, permit))
    }
}

impl Gather for ReadBody {
    type In = EnteredRequest;
    type Out = ReceivedRequest;

    async fn run(&self, entered: EnteredRequest) -> Result<ReceivedRequest, Rejection> {
        let EnteredRequest { traced: TracedRequest { downstream, trace }, inside } = entered;
        let Downstream { request, peer, received_at, head_fault } = downstream;
        // Where the head has several readings, so has the length of the body.
        if let Some(fault) = head_fault {
            return Err(fault.into());
        }
        let (head, body) = request.into_parts();
        let (body, permit) = self.read(body).await?;
        Ok(ReceivedRequest {
            method: head.method,
            uri: head.uri,
            version: head.version,
            headers: head.headers,
            body,
            permit: permit.with_place(inside),
            peer,
            received_at,
            trace,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        pin::Pin,
        task::{Context, Poll},
    };

    use futures_util::stream;
    use http::HeaderMap;
    use http_body::{Frame, SizeHint};
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn read_body(limit: u64, budget: &Arc<BodyBudget>) -> ReadBody {
        ReadBody::new(limit, Duration::from_secs(10), Arc::clone(budget))
    }

    struct Announced(u64);

    impl Body for Announced {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            panic!("read");
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0)
        }
    }

    fn frames(parts: &[&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let parts: Vec<_> = parts.iter().map(|part| Ok(Frame::data(Bytes::from(*part)))).collect();
        StreamBody::new(stream::iter(parts))
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_is_refused_before_anything_is_read() {
        let refused = read_body(8, &BodyBudget::new(100)).read(Announced(9)).await;
        assert!(matches!(refused, Err(Rejection::BodyTooLarge)));
        let refused = read_body(8, &BodyBudget::new(100)).read(Announced(u64::MAX)).await;
        assert!(matches!(refused, Err(Rejection::BodyTooLarge)));
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_cut_where_it_passes_the_limit() {
        let budget = BodyBudget::new(100);
        let reader = read_body(8, &budget);
        assert_eq!(reader.read(frames(&["1234", "5678"])).await.unwrap().0, b"12345678");
        let refused = reader.read(frames(&["1234", "5678", "9"])).await;
        assert!(matches!(refused, Err(Rejection::BodyTooLarge)));
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test]
    async fn the_byte_budget_refuses_and_is_given_back() {
        let budget = BodyBudget::new(8);
        let reader = read_body(8, &budget);
        let first = reader.read(Full::new(Bytes::from("12345"))).await.unwrap();
        assert_eq!(budget.held(), 5);
        let refused = reader.read(frames(&["12", "34"])).await;
        assert!(matches!(refused, Err(Rejection::NoRoom)));
        assert_eq!(budget.held(), 5);
        drop(first);
        assert_eq!(budget.held(), 0);
        assert!(reader.read(frames(&["12", "34"])).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_cut_at_the_deadline_however_steadily_it_drips() {
        let budget = BodyBudget::new(100);
        let drip = Box::pin(stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from("x"))), ()))
        }));
        let began = tokio::time::Instant::now();
        let refused = read_body(100, &budget).read(StreamBody::new(drip)).await;
        assert!(matches!(refused, Err(Rejection::BodyTimeout)));
        assert!(began.elapsed() < Duration::from_secs(11));
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test]
    async fn trailers_are_no_part_of_a_body_and_a_broken_stream_is_no_body() {
        let reader = read_body(8, &BodyBudget::new(100));
        let trailed = StreamBody::new(stream::iter([
            Ok::<_, Infallible>(Frame::data(Bytes::from("12"))),
            Ok(Frame::trailers(HeaderMap::new())),
        ]));
        assert_eq!(reader.read(trailed).await.unwrap().0, b"12");
        let broken = StreamBody::new(stream::iter([
            Ok(Frame::data(Bytes::from("12"))),
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
        ]));
        assert!(matches!(reader.read(broken).await, Err(Rejection::BodyBroken)));
    }
}
