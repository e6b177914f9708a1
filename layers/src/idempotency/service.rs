use std::{
    fmt,
    task::{Context as Task, Poll},
};

use tower::{BoxError, Service};

use super::{
    IdempotencyFuture, IdempotencyLayer,
    key::{Key, KeyScope},
    store::Claim,
};
use crate::{
    error::{Code, Error},
    message::{Message, Reply},
};

/// The service of [`IdempotencyLayer`].
#[derive(Clone)]
pub struct IdempotencyService<S> {
    inner: S,
    rules: IdempotencyLayer,
}

impl<S> IdempotencyService<S> {
    pub(super) const fn new(inner: S, rules: IdempotencyLayer) -> Self {
        Self { inner, rules }
    }

    /// Returns the message's key, if it has one. Refuses a message whose key is required and missing, or too long.
    fn key(&self, message: &Message) -> Result<Option<Key>, Error> {
        let refuse = |message| Err(Error::new(Code::BAD_REQUEST, message));
        let Some(key) = (self.rules.key)(message) else {
            return if self.rules.required {
                refuse("idempotency key: expected one, got none".to_owned())
            } else {
                Ok(None)
            };
        };
        if key.len() > Key::MAX_BYTES {
            let (limit, got) = (Key::MAX_BYTES, key.len());
            return refuse(format!(
                "idempotency key: expected at most {limit} bytes, got {got}"
            ));
        }
        let parts = message.parts();
        let scope = match &self.rules.scope {
            Some(scope) => KeyScope::Named(scope(message)),
            None => KeyScope::Client(parts.connection().client_id()),
        };
        Ok(Some(Key {
            scope,
            route: parts.route().clone(),
            key,
        }))
    }
}

impl<S> Service<Message> for IdempotencyService<S>
where
    S: Service<Message, Response = Reply> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = IdempotencyFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message) -> Self::Future {
        let claim = self
            .key(&message)
            .map(|key| key.map(|key| self.rules.store.claim(key, message.payload())));
        let result = match claim {
            Ok(None) => return IdempotencyFuture::inner(self.inner.call(message), None),
            Ok(Some(Claim::New(first))) => {
                return IdempotencyFuture::inner(self.inner.call(message), Some(first));
            }
            Ok(Some(Claim::InProgress(result))) => IdempotencyFuture::wait(result),
            Ok(Some(Claim::Answered(answer))) => IdempotencyFuture::result(Ok(answer)),
            Ok(Some(Claim::OtherPayload)) => IdempotencyFuture::result(Err(Error::conflict(
                "idempotency key: expected the payload of its first message, got another one",
            ))),
            Err(error) => IdempotencyFuture::result(Err(error)),
        };
        // The ready service is not called. Replacing it by a clone gives up permits that other messages wait for.
        self.inner = self.inner.clone();
        result
    }
}

impl<S: fmt::Debug> fmt::Debug for IdempotencyService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyService")
            .field("inner", &self.inner)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
