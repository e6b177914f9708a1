//! Future of the layers around the upgrade, which pass a request on or refuse it.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context as Task, Poll},
};

use http::Response;
use pin_project::pin_project;
use zocket_layers::{Error, internal::polled_after_completion};

use super::answer;

/// Future of the layers around the upgrade, such as [`OriginLayer`](crate::origin::OriginLayer).
#[pin_project]
pub struct HandshakeFuture<F, B> {
    #[pin]
    state: State<F, B>,
}

#[pin_project(project = StateProjection)]
enum State<F, B> {
    Inner(#[pin] F),
    /// `None` once it has been returned.
    Refused(Option<Box<Response<B>>>),
}

impl<F, B> HandshakeFuture<F, B> {
    pub(super) const fn inner(future: F) -> Self {
        Self {
            state: State::Inner(future),
        }
    }

    /// Refuses a request without calling `inner`, which was ready for it. The ready service is replaced by a clone, so
    /// that its permits are released.
    pub(super) fn refuse<S: Clone>(inner: &mut S, error: &Error) -> Self
    where
        B: From<String>,
    {
        let fresh = inner.clone();
        drop(mem::replace(inner, fresh));
        Self {
            state: State::Refused(Some(Box::new(answer::refused(error)))),
        }
    }
}

impl<F, B, E> Future for HandshakeFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Inner(future) => future.poll(cx),
            StateProjection::Refused(response) => match response.take() {
                Some(response) => Poll::Ready(Ok(*response)),
                None => polled_after_completion("HandshakeFuture"),
            },
        }
    }
}

impl<F, B> fmt::Debug for HandshakeFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandshakeFuture")
    }
}
