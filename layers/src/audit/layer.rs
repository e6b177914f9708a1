use std::{fmt, sync::Arc};

use tower::Layer;

use super::{Audit, AuditService};

/// Reports the effects of each message to a sink, with the message's route and id.
#[derive(Clone)]
pub struct AuditLayer {
    sink: Arc<dyn Audit>,
}

impl AuditLayer {
    /// Creates a layer that reports to `sink`.
    pub fn new(sink: impl Audit) -> Self {
        Self { sink: Arc::new(sink) }
    }
}

impl fmt::Debug for AuditLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditLayer")
    }
}

impl<S> Layer<S> for AuditLayer {
    type Service = AuditService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AuditService::new(inner, self.sink.clone())
    }
}
