use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use http::Response;
use pin_project::pin_project;
use tower::BoxError;

use super::{carried::CarriedResult, status};
use crate::{error::Error, message::Reply, service::polled_after_completion};

/// The future of [`HttpService`](super::HttpService).
#[pin_project]
#[derive(Debug)]
pub struct HttpFuture<F> {
    #[pin]
    state: State<F>,
}

#[pin_project(project = StateProjection)]
#[derive(Debug)]
enum State<F> {
    Inner(#[pin] F),
    Refused(Option<Error>),
}

impl<F> HttpFuture<F> {
    pub(super) const fn inner(future: F) -> Self {
        Self {
            state: State::Inner(future),
        }
    }

    pub(super) const fn refused(error: Error) -> Self {
        Self {
            state: State::Refused(Some(error)),
        }
    }
}

impl<F, B, E> Future for HttpFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Reply, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner(future) => {
                let response = ready!(future.poll(cx)).map_err(Into::into)?;
                Poll::Ready(into_result(response))
            }
            StateProjection::Refused(error) => match error.take() {
                Some(error) => Poll::Ready(Err(error.into())),
                None => polled_after_completion("HttpFuture"),
            },
        }
    }
}

/// Returns the message's result, or a refusal if a layer has made or changed the response.
fn into_result<B>(mut response: Response<B>) -> Result<Reply, BoxError> {
    let status = response.status();
    match response.extensions_mut().remove::<CarriedResult>() {
        Some(carried) if carried.status == status || !carried.status.is_success() || status.is_success() => {
            carried.take().unwrap_or_else(|| {
                Err(Error::internal("an HTTP layer returned one response for two messages").into())
            })
        }
        _ => Err(status::refusal(status, response.headers()).into()),
    }
}
