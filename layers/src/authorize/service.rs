use std::task::{Context as Task, Poll};

use tower::{BoxError, Service};

use super::{Predicate, Verdict};
use crate::{
    error::Code,
    message::{Message, Reply},
    service::RefusableFuture,
};

/// The service of [`AuthorizeLayer`](super::AuthorizeLayer).
#[derive(Debug, Clone)]
pub struct AuthorizeService<S, Q> {
    inner: S,
    predicate: Q,
    code: Code,
}

impl<S, Q> AuthorizeService<S, Q> {
    pub(super) const fn new(inner: S, predicate: Q, code: Code) -> Self {
        Self {
            inner,
            predicate,
            code,
        }
    }
}

impl<S, Q, P, C> Service<Message<P, C>> for AuthorizeService<S, Q>
where
    S: Service<Message<P, C>, Response = Reply> + Clone,
    S::Error: Into<BoxError>,
    Q: Predicate<P, C>,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = RefusableFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message<P, C>) -> Self::Future {
        match self.predicate.decide(&message).into_result(self.code) {
            Ok(()) => RefusableFuture::inner(self.inner.call(message)),
            Err(error) => {
                // The ready service is not called. Replacing it by a clone gives up permits that other messages wait
                // for.
                self.inner = self.inner.clone();
                RefusableFuture::refused(error)
            }
        }
    }
}
