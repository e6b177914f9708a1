use tower::Layer;

use super::RescueService;

/// Turns whatever goes wrong with a message into something that its sender is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct RescueLayer(());

impl RescueLayer {
    /// The one and only.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for RescueLayer {
    type Service = RescueService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RescueService::new(inner)
    }
}
