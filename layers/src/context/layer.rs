use std::{fmt, marker::PhantomData};

use tower::Layer;

use super::ContextService;

/// Adds to each message the context that `on_connect` made for its connection: `()` becomes
/// [`Context<C>`](crate::Context).
pub struct ContextLayer<C>(PhantomData<fn() -> C>);

impl<C> ContextLayer<C> {
    /// Creates a layer for an app whose `on_connect` makes a `C`.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C> Default for ContextLayer<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Clone for ContextLayer<C> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for ContextLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContextLayer<{}>", std::any::type_name::<C>())
    }
}

impl<S, C> Layer<S> for ContextLayer<C> {
    type Service = ContextService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        ContextService::new(inner)
    }
}
