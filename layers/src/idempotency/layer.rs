use std::{fmt, sync::Arc, time::Duration};

use tower::Layer;

use super::{
    IdempotencyService,
    store::{Bounds, Store},
};
use crate::message::Message;

type MessageFn<R> = Arc<dyn Fn(&Message) -> R + Send + Sync>;

/// Handles a message once if it is sent twice, and answers it both times.
///
/// Its clones and the services that it makes share one memory. In `router.layer`, all routes share it.
#[derive(Clone)]
pub struct IdempotencyLayer {
    pub(super) key: MessageFn<Option<String>>,
    /// None if the scope is the client's id.
    pub(super) scope: Option<MessageFn<String>>,
    pub(super) required: bool,
    pub(super) store: Arc<Store>,
}

impl IdempotencyLayer {
    /// Creates a layer that reads a message's key with this function. A key longer than 255 bytes is refused with
    /// BAD_REQUEST. Messages without a key pass. [`payload_member`](super::payload_member) makes such a function.
    pub fn new(key: impl Fn(&Message) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            key: Arc::new(key),
            scope: None,
            required: false,
            store: Arc::new(Store::new(Bounds {
                age: Duration::from_secs(24 * 60 * 60),
                count: 100_000,
                bytes: 64 << 20,
            })),
        }
    }

    /// Sets the scope of a message's key, in place of the client's id. Equal keys of different scopes are independent.
    #[must_use]
    pub fn scope(self, scope: impl Fn(&Message) -> String + Send + Sync + 'static) -> Self {
        Self {
            scope: Some(Arc::new(scope)),
            ..self
        }
    }

    /// Refuses messages without a key with BAD_REQUEST.
    #[must_use]
    pub fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// Sets the time for which an answer is remembered. Default: 24 hours.
    #[must_use]
    pub fn remember_for(self, age: Duration) -> Self {
        self.bounded(|bounds| Bounds { age, ..bounds })
    }

    /// Sets the maximum number of answers that are remembered. The oldest are dropped first. Default: 100,000.
    #[must_use]
    pub fn max_count(self, count: usize) -> Self {
        self.bounded(|bounds| Bounds { count, ..bounds })
    }

    /// Sets the bytes that the remembered answers may occupy. Each counts its own bytes, its key's, and 256 more. The
    /// oldest are dropped first. Default: 64 MiB.
    #[must_use]
    pub fn max_bytes(self, bytes: usize) -> Self {
        self.bounded(|bounds| Bounds { bytes, ..bounds })
    }

    fn bounded(self, change: impl FnOnce(Bounds) -> Bounds) -> Self {
        let store = Arc::new(Store::new(change(self.store.bounds)));
        Self { store, ..self }
    }
}

impl fmt::Debug for IdempotencyLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyLayer")
            .field("bounds", &self.store.bounds)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for IdempotencyLayer {
    type Service = IdempotencyService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        IdempotencyService::new(inner, self.clone())
    }
}
