use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project::pin_project;
use tokio::sync::oneshot;
use tower::BoxError;

use super::store::{Running, Told};
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
        running: Option<Running>,
    },
    Waiting(oneshot::Receiver<Told>),
    Told(Option<Told>),
}

impl<F> IdempotencyFuture<F> {
    pub(super) const fn inner(inner: F, running: Option<Running>) -> Self {
        Self {
            state: State::Inner { inner, running },
        }
    }

    pub(super) const fn wait(told: oneshot::Receiver<Told>) -> Self {
        Self {
            state: State::Waiting(told),
        }
    }

    pub(super) const fn told(told: Told) -> Self {
        Self {
            state: State::Told(Some(told)),
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
        let told = match self.project().state.project() {
            StateProjection::Inner { inner, running } => {
                let result = ready!(inner.poll(cx)).map_err(Into::into);
                match (running.take(), &result) {
                    (Some(running), Ok(reply)) => running.succeed(&reply.answer),
                    (Some(running), Err(error)) => running.fail(error),
                    (None, _) => {}
                }
                return Poll::Ready(result);
            }
            StateProjection::Waiting(told) => ready!(Pin::new(told).poll(cx)).unwrap_or_else(|_| {
                Err(Error::conflict(
                    "idempotency key: the first message with it was given up before its end; try again",
                ))
            }),
            StateProjection::Told(told) => match told.take() {
                Some(told) => told,
                None => polled_after_completion("IdempotencyFuture"),
            },
        };
        Poll::Ready(told.map(Reply::with_payload).map_err(Into::into))
    }
}

impl<F> fmt::Debug for IdempotencyFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Inner { .. } => "inner",
            State::Waiting(_) => "waiting",
            State::Told(_) => "told",
        };
        f.debug_struct("IdempotencyFuture")
            .field("state", &state)
            .finish()
    }
}
