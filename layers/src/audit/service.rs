use std::{
    fmt,
    sync::Arc,
    task::{Context as Task, Poll},
};

use tower::Service;

use super::{Audit, Auditor};
use crate::message::Message;

/// The service of [`AuditLayer`](super::AuditLayer).
#[derive(Clone)]
pub struct AuditService<S> {
    inner: S,
    sink: Arc<dyn Audit>,
}

impl<S> AuditService<S> {
    pub(super) const fn new(inner: S, sink: Arc<dyn Audit>) -> Self {
        Self { inner, sink }
    }
}

impl<S, P, C> Service<Message<P, C>> for AuditService<S>
where
    S: Service<Message<P, C>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, message: Message<P, C>) -> Self::Future {
        let parts = message.parts();
        parts
            .state
            .observe(|next| Arc::new(Auditor::of(parts, self.sink.clone(), next)));
        self.inner.call(message)
    }
}

impl<S: fmt::Debug> fmt::Debug for AuditService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
