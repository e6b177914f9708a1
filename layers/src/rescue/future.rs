use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll},
};

use pin_project::pin_project;
use tower::BoxError;

use super::{
    explain::{About, caught, explain_failure, shortened},
    undeclared::checked,
};
use crate::{
    error::Error,
    message::{Outcome, Reply},
    meter,
    service::polled_after_completion,
};

/// The future of [`RescueService`](super::RescueService).
#[pin_project]
#[derive(Debug)]
pub struct RescueFuture<F> {
    about: About,
    #[pin]
    state: State<F>,
}

#[pin_project(project = StateProjection)]
#[derive(Debug)]
enum State<F> {
    Inner(#[pin] F),
    Refused(Option<Error>),
}

impl<F> RescueFuture<F> {
    pub(super) const fn inner(about: About, future: F) -> Self {
        Self {
            about,
            state: State::Inner(future),
        }
    }

    pub(super) const fn refused(about: About, error: Error) -> Self {
        Self {
            about,
            state: State::Refused(Some(error)),
        }
    }
}

impl<F, E> Future for RescueFuture<F>
where
    F: Future<Output = Result<Reply, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Outcome, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let error = match this.state.project() {
            StateProjection::Inner(future) => match caught(|| future.poll(cx).map_err(Into::into)) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(reply))) => return Poll::Ready(Ok(Outcome::Reply(reply))),
                Ok(Poll::Ready(Err(error))) | Err(error) => explain_failure(error, Some(this.about)),
            },
            StateProjection::Refused(error) => match error.take() {
                Some(error) => error,
                None => polled_after_completion("RescueFuture"),
            },
        };
        let error = checked(error, this.about);
        meter::refused(&error);
        let (route, client) = (shortened(&this.about.route), this.about.connection.client_id());
        // At DEBUG, since the client is told, the metrics count it, and `TraceLayer` has a line for each message.
        tracing::debug!(?route, %client, %error, "message refused");
        Poll::Ready(Ok(Outcome::Refused(error)))
    }
}
