use std::sync::Arc;

use tower::Layer;

use super::{MetricsService, describe, handles::Routes};

/// Counts messages, and measures how long they take and how large they are.
#[derive(Debug, Clone)]
pub struct MetricsLayer {
    routes: Arc<Routes>,
}

impl MetricsLayer {
    /// Creates a layer that measures by the routes that the app's routers declare, and [describes](super::describe)
    /// the metrics to the recorder. Install the recorder before.
    #[must_use]
    pub fn new() -> Self {
        describe();
        Self {
            routes: Arc::default(),
        }
    }

    /// Adds routes to measure by: those of a stack built by hand, which no router declares.
    #[must_use]
    pub fn routes<R: Into<String>>(self, routes: impl IntoIterator<Item = R>) -> Self {
        let before = self.routes.names().iter().cloned();
        let routes = before.chain(routes.into_iter().map(Into::into));
        Self {
            routes: Arc::new(Routes::named(routes)),
        }
    }
}

impl Default for MetricsLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = MetricsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MetricsService::new(inner, self.routes.clone())
    }
}
