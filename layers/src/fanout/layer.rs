use tower::Layer;

use super::FanoutService;

/// Decides when the hub performs the effects of a message: *passing*, or *holding* under [`atomic`](Self::atomic).
#[derive(Debug, Clone, Copy, Default)]
pub struct FanoutLayer {
    atomic: bool,
}

impl FanoutLayer {
    /// Creates a layer that performs each effect as it is noted.
    #[must_use]
    pub const fn new() -> Self {
        Self { atomic: false }
    }

    /// Performs the effects when the message has succeeded; drops them when it fails, times out or loses to
    /// another attempt. Layers inside see them in [`Reply::effects`](crate::Reply::effects), and may change them.
    ///
    /// The message is atomic, the hub is not: if the hub can't take one of the effects, the others are performed all
    /// the same, and the message is refused with OVERLOADED.
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
