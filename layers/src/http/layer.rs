use tower::Layer;

use super::{HttpService, InsideService};

/// Wraps raw messages in a layer for HTTP requests, or in several from a `tower::ServiceBuilder`.
#[derive(Debug, Clone, Copy)]
pub struct HttpLayer<L> {
    http: L,
}

impl<L> HttpLayer<L> {
    /// Creates a layer that wraps messages in `http`.
    #[must_use]
    pub const fn new(http: L) -> Self {
        Self { http }
    }
}

impl<L, S> Layer<S> for HttpLayer<L>
where
    L: Layer<InsideService<S>>,
{
    type Service = HttpService<L::Service>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpService::new(self.http.layer(InsideService::new(inner)))
    }
}
