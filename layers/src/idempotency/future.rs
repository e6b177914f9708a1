use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project::pin_project;
use tokio::sync::oneshot;
use tower::BoxError;

use super::store::{FirstMessage, SharedResult};
use crate::{error::Error, message::Reply, service::polled_after_completion};

/// The future of [`IdempotencyService`](super::IdempotencyService).
#[pin_project]
pub struct IdempotencyFuture<F> {
    #[pin]
    state: State<F>,
}

#[pin_project(project = StateProjection)]
enum State<F> {
    Inner {
        #[pin]
        inner: F,
        /// None for a message without a key.
        first: Option<FirstMessage>,
    },
    Waiting(oneshot::Receiver<SharedResult>),
    SharedResult(Option<SharedResult>),
}

impl<F> IdempotencyFuture<F> {
    pub(super) const fn inner(inner: F, first: Option<FirstMessage>) -> Self {
        Self {
            state: State::Inner { inner, first },
        }
    }

    pub(super) const fn wait(result: oneshot::Receiver<SharedResult>) -> Self {
        Self {
            state: State::Waiting(result),
        }
    }

    pub(super) const fn result(result: SharedResult) -> Self {
        Self {
            state: State::SharedResult(Some(result)),
        }
    }
}

impl<F, E> Future for IdempotencyFuture<F>
where
    F: Future<Output = Result<Reply, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Reply, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let result = match self.project().state.project() {
            StateProjection::Inner { inner, first } => {
                let result = ready!(inner.poll(cx)).map_err(Into::into);
                match (first.take(), &result) {
                    (Some(first), Ok(reply)) => first.succeed(&reply.answer),
                    (Some(first), Err(error)) => first.fail(error),
                    (None, _) => {}
                }
                return Poll::Ready(result);
            }
            StateProjection::Waiting(result) => ready!(Pin::new(result).poll(cx)).unwrap_or_else(|_| {
                Err(Error::conflict(
                    "idempotency key: the first message with this key was dropped; try again",
                ))
            }),
            StateProjection::SharedResult(result) => match result.take() {
                Some(result) => result,
                None => polled_after_completion("IdempotencyFuture"),
            },
        };
        Poll::Ready(result.map(Reply::with_payload).map_err(Into::into))
    }
}

impl<F> fmt::Debug for IdempotencyFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Inner { .. } => "inner",
            State::Waiting(_) => "waiting",
            State::SharedResult(_) => "result",
        };
        f.debug_struct("IdempotencyFuture")
            .field("state", &state)
            .finish()
    }
}
