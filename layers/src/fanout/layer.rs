use tower::Layer;

use super::FanoutService;

/// Decides when the hub performs the effects of a message: *passing*, or *holding* under [`atomic`](Self::atomic).
#[derive(Debug, Clone, Copy, Default)]
pub struct FanoutLayer {
    atomic: bool,
}

impl FanoutLayer {
    /// Creates a layer that passes each effect to the hub as it is recorded.
    #[must_use]
    pub const fn new() -> Self {
        Self { atomic: false }
    }

    /// Performs the effects when the message has succeeded. Drops them when it fails, times out, or another attempt at
    /// it succeeds. Layers inside find them in [`Reply::effects`](crate::Reply::effects), and may change them.
    ///
    /// The hub is not atomic. If it refuses one of the effects, the others are performed nevertheless, and the message
    /// fails with that refusal.
    #[must_use]
    pub const fn atomic(mut self) -> Self {
        self.atomic = true;
        self
    }
}

impl<S> Layer<S> for FanoutLayer {
    type Service = FanoutService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FanoutService::new(inner, self.atomic)
    }
}
