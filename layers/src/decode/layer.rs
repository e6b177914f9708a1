use tower::Layer;

use super::DecodeService;
use crate::protocol::Codec;

/// Turns frames into messages, and outcomes into frames.
#[derive(Debug, Clone, Copy)]
pub struct DecodeLayer(Codec);

impl DecodeLayer {
    /// Creates a layer for frames in JSON.
    #[must_use]
    pub const fn json() -> Self {
        Self(Codec::Json)
    }

    /// Returns the codec of the frames.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.0
    }
}

impl<S> Layer<S> for DecodeLayer {
    type Service = DecodeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DecodeService::new(inner, self.0)
    }
}
