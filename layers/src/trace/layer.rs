use tower::Layer;
use tracing::Level;

use super::{TraceCallsLayer, TraceService};
use crate::service::CallFailure;

/// Runs each message in its own span.
#[derive(Debug, Clone, Copy)]
pub struct TraceLayer {
    level: Level,
}

impl TraceLayer {
    /// Creates a layer whose spans have the level INFO.
    #[must_use]
    pub const fn new() -> Self {
        Self { level: Level::INFO }
    }

    /// Sets the level of the spans.
    #[must_use]
    pub const fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Returns the form for a client's calls, `Service<M>` with `M: Incoming`. `E` is the error of the client:
    /// `TraceLayer::new().calls::<CallError>()`.
    #[must_use]
    pub const fn calls<E: CallFailure>(self) -> TraceCallsLayer {
        TraceCallsLayer::new::<E>(self.level)
    }
}

impl Default for TraceLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = TraceService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TraceService::new(inner, self.level)
    }
}
