use tower::Layer;

use super::RescueService;

/// Turns any error or panic of a message into a refusal for its sender.
#[derive(Debug, Clone, Copy, Default)]
pub struct RescueLayer(());

impl RescueLayer {
    /// Creates the layer. It has no options.
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
