//! Future of the layers around the upgrade, which pass a request on or refuse it.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context as Task, Poll},
};

use http::{Request, Response};
use pin_project::pin_project;
use zocket_layers::internal::polled_after_completion;

use super::{inner_app::clone_and_find_app, refusal::Refusal};

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
    /// that its permits are released. If the app inside can tell the refusal by a close code, it does.
    pub(super) fn refuse<S: Clone, T>(inner: &mut S, request: Request<T>, refusal: &Refusal) -> Self
    where
        B: From<String>,
    {
        let (fresh, app) = clone_and_find_app(inner);
        drop(mem::replace(inner, fresh));
        let (mut parts, _) = request.into_parts();
        let told = app.and_then(|app| app.tell(&mut parts, refusal));
        let response = match told {
            Some(accepted) => accepted.map(|_| B::from(String::new())),
            None => refusal.response(),
        };
        Self {
            state: State::Refused(Some(Box::new(response))),
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
