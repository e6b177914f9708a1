use tower::Layer;

use super::DecodeService;
use crate::Codec;

/// Turns frames into messages, and what comes of them into frames.
#[derive(Debug, Clone, Copy)]
pub struct DecodeLayer(Codec);

impl DecodeLayer {
    /// For frames in JSON.
    #[must_use]
    pub const fn json() -> Self {
        Self(Codec::Json)
    }
}

impl<S> Layer<S> for DecodeLayer {
    type Service = DecodeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        match self.0 {
            Codec::Json => DecodeService::new(inner),
        }
    }
}
