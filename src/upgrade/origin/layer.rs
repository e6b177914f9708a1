use tower::Layer;

use super::{OriginService, Origins};

/// Refuses requests of pages that the [`Origins`] do not allow: 403, with the JSON body of other refusals, or a close code
/// for [clients that offer to understand it](crate::guide::errors#at-the-handshake). The layer
/// belongs around the service that [`Zocket::serve`](crate::Zocket::serve) returns. Around a whole site it would also
/// refuse the cross-origin requests of its pages.
///
/// An app that identifies users by cookies sets the rule by [`Builder::origins`](crate::Builder::origins) instead.
#[derive(Debug, Clone)]
pub struct OriginLayer {
    origins: Origins,
}

impl OriginLayer {
    /// Creates a layer with this rule.
    #[must_use]
    pub const fn new(origins: Origins) -> Self {
        Self { origins }
    }
}

impl<S> Layer<S> for OriginLayer {
    type Service = OriginService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        OriginService::new(inner, self.origins.clone())
    }
}
