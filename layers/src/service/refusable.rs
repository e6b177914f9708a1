use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project::pin_project;
use tower::BoxError;

use super::polled_after_completion;
use crate::error::Error;

/// The future of a stage that either passes the message on or refuses it at once:
/// [`ContextService`](crate::ContextService), [`ValidateService`](crate::ValidateService), a router.
#[pin_project]
#[derive(Debug)]
pub struct RefusableFuture<F> {
    #[pin]
    state: State<F>,
}

#[pin_project(project = StateProjection)]
#[derive(Debug)]
enum State<F> {
    Inner(#[pin] F),
    Refused(Option<Error>),
}

impl<F> RefusableFuture<F> {
    /// Creates the future of a message that was passed on.
    pub const fn inner(future: F) -> Self {
        Self {
            state: State::Inner(future),
        }
    }

    /// Creates the future of a message that was refused.
    pub const fn refused(error: Error) -> Self {
        Self {
            state: State::Refused(Some(error)),
        }
    }
}

impl<F, R, E> Future for RefusableFuture<F>
where
    F: Future<Output = Result<R, E>>,
    E: Into<BoxError>,
{
    type Output = Result<R, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner(future) => Poll::Ready(ready!(future.poll(cx)).map_err(Into::into)),
            StateProjection::Refused(error) => match error.take() {
                Some(error) => Poll::Ready(Err(error.into())),
                None => polled_after_completion("RefusableFuture"),
            },
        }
    }
}
