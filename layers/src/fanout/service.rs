use std::task::{Context as Task, Poll};

use tower::{BoxError, Service};

use super::FanoutFuture;
use crate::message::{Message, Reply};

/// The service of [`FanoutLayer`](super::FanoutLayer).
#[derive(Debug, Clone)]
pub struct FanoutService<S> {
    inner: S,
    atomic: bool,
}

impl<S> FanoutService<S> {
    pub(super) const fn new(inner: S, atomic: bool) -> Self {
        Self { inner, atomic }
    }
}

impl<S, P, C> Service<Message<P, C>> for FanoutService<S>
where
    S: Service<Message<P, C>, Response = Reply>,
    S::Error: Into<BoxError>,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = FanoutFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message<P, C>) -> Self::Future {
        let state = message.parts().state.clone();
        if !self.atomic {
            state.pass();
        }
        FanoutFuture::new(self.inner.call(message), state)
    }
}
