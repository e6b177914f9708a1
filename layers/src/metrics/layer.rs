use std::sync::Arc;

use tower::Layer;

use super::{MetricsCallsLayer, MetricsService, describe, handles::Routes};
use crate::service::CallFailure;

/// Counts messages, and measures their duration and size.
#[derive(Debug, Clone)]
pub struct MetricsLayer {
    routes: Arc<Routes>,
}

impl MetricsLayer {
    /// Creates a layer whose `route` labels are the routes that the app's routers declare. [Describes](super::describe)
    /// the metrics to the recorder, which has to be installed before.
    #[must_use]
    pub fn new() -> Self {
        describe();
        Self {
            routes: Arc::default(),
        }
    }

    /// Adds routes to the `route` labels, for a stack built by hand, whose routes no router declares.
    #[must_use]
    pub fn routes<R: Into<String>>(self, routes: impl IntoIterator<Item = R>) -> Self {
        let before = self.routes.names().iter().cloned();
        let routes = before.chain(routes.into_iter().map(Into::into));
        Self {
            routes: Arc::new(Routes::named(routes)),
        }
    }

    /// Returns the form for a client's calls, `Service<M>` with `M: Incoming`. `E` is the error of the client:
    /// `MetricsLayer::new().calls::<CallError>()`. Its `route` labels are the types of the messages, so
    /// [`routes`](Self::routes) has no effect on it.
    #[must_use]
    pub fn calls<E: CallFailure>(self) -> MetricsCallsLayer {
        MetricsCallsLayer::new::<E>()
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
