use std::{
    fmt,
    hash::Hash,
    mem,
    sync::Arc,
    task::{Context as Task, Poll},
};

use tower::{BoxError, Service};

use super::{layer::Key, store::QuotaStore};
use crate::{
    error::Error,
    message::{Message, Reply},
    service::RefusableFuture,
};

/// The service of [`QuotaLayer`](super::QuotaLayer).
pub struct QuotaService<S, K: Eq + Hash> {
    inner: S,
    key: Key<K>,
    store: Arc<QuotaStore<K>>,
}

impl<S, K: Eq + Hash> QuotaService<S, K> {
    pub(super) const fn new(inner: S, key: Key<K>, store: Arc<QuotaStore<K>>) -> Self {
        Self { inner, key, store }
    }
}

impl<S, K, P, C> Service<Message<P, C>> for QuotaService<S, K>
where
    S: Service<Message<P, C>, Response = Reply> + Clone,
    S::Error: Into<BoxError>,
    K: Eq + Hash,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = RefusableFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message<P, C>) -> Self::Future {
        match self.store.charge((self.key)(message.parts())) {
            Ok(()) => RefusableFuture::inner(self.inner.call(message)),
            Err(wait) => {
                // The ready service is not called. Dropping it gives up its permits, since the next message may arrive
                // much later.
                let fresh = self.inner.clone();
                drop(mem::replace(&mut self.inner, fresh));
                RefusableFuture::refused(Error::too_many_requests(wait))
            }
        }
    }
}

impl<S: Clone, K: Eq + Hash> Clone for QuotaService<S, K> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.key.clone(), self.store.clone())
    }
}

impl<S: fmt::Debug, K: Eq + Hash> fmt::Debug for QuotaService<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuotaService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
