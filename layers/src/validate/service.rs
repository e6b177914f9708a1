use std::{
    fmt,
    task::{Context as Task, Poll},
};

use tower::{BoxError, Service};

use super::{Input, ValidateLayer};
use crate::{
    error::{Code, Error},
    message::{Message, Reply},
    protocol::RawPayload,
    service::{IsRaw, NoContextYet, RefusableFuture},
};

/// The service of [`ValidateLayer`].
pub struct ValidateService<S, T> {
    inner: S,
    rules: ValidateLayer<T>,
}

impl<S, T> ValidateService<S, T> {
    pub(super) const fn new(inner: S, rules: ValidateLayer<T>) -> Self {
        Self { inner, rules }
    }
}

impl<S, T: Input> ValidateService<S, T> {
    fn check(&self, payload: &RawPayload) -> Result<T, Error> {
        let ValidateLayer {
            checker,
            ignore,
            limit,
        } = &self.rules;
        let (got, limit) = (payload.as_json().len(), *limit);
        if got > limit {
            let message = format!("payload: expected at most {limit} bytes for this route, got {got}");
            return Err(Error::new(Code::PAYLOAD_TOO_LARGE, message));
        }
        let json = if *ignore { b"null" } else { payload.as_json() };
        checker.check(json).map_err(Error::bad_request)
    }
}

impl<S: Clone, T> Clone for ValidateService<S, T> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.rules.clone())
    }
}

impl<S: fmt::Debug, T> fmt::Debug for ValidateService<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidateService")
            .field("inner", &self.inner)
            .field("rules", &self.rules)
            .finish()
    }
}

/// Generic over payload and context, so that a mismatch is reported by the messages of [`IsRaw`] and [`NoContextYet`].
impl<S, T, P, X> Service<Message<P, X>> for ValidateService<S, T>
where
    P: IsRaw,
    X: NoContextYet,
    S: Service<Message<T, X>, Response = Reply>,
    S::Error: Into<BoxError>,
    T: Input,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = RefusableFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message<P, X>) -> Self::Future {
        match self.check(message.payload().raw()) {
            Ok(input) => RefusableFuture::inner(self.inner.call(message.map_payload(|_| input))),
            Err(error) => RefusableFuture::refused(error),
        }
    }
}
