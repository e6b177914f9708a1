use std::task::{Context as Task, Poll};

use http::{Request, Response};
use tower::Service;

use super::Origins;
use crate::upgrade::{refusable::HandshakeFuture, refusal::Refusal};

/// The service of [`OriginLayer`](super::OriginLayer).
#[derive(Debug, Clone)]
pub struct OriginService<S> {
    inner: S,
    origins: Origins,
}

impl<S> OriginService<S> {
    pub(super) const fn new(inner: S, origins: Origins) -> Self {
        Self { inner, origins }
    }
}

impl<S, B, R> Service<Request<B>> for OriginService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = HandshakeFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.origins.check(request.uri(), request.headers()) {
            Ok(()) => HandshakeFuture::inner(self.inner.call(request)),
            Err(error) => HandshakeFuture::refuse(&mut self.inner, request, &Refusal::of_origin(error)),
        }
    }
}
