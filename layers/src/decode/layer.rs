use tower::Layer;

use super::DecodeService;
use crate::protocol::Codec;

/// Turns frames into messages, and outcomes into frames.
#[derive(Debug, Clone, Copy)]
pub struct DecodeLayer(Codec);

impl DecodeLayer {
    /// Creates a layer that lets clients negotiate JSON. Frames are read in the form of their connection.
    #[must_use]
    pub const fn json() -> Self {
        Self(Codec::Json)
    }

    /// Returns the codec that clients can negotiate.
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
