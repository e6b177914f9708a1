use tower::Layer;
use tracing::Level;

use super::TraceService;

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
