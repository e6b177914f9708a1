use tower::Layer;

use super::{AuthorizeService, OfContext, OfMessage, Verdict};
use crate::{context::Context, error::Code, message::Message};

/// Passes the messages that a predicate allows, and refuses the others.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizeLayer<Q> {
    predicate: Q,
    code: Code,
}

impl<F> AuthorizeLayer<OfMessage<F>> {
    /// Creates a layer whose predicate reads the whole message. Outside of [`ValidateLayer`](crate::ValidateLayer),
    /// that is a [`Message`] with its payload unparsed and without a context. Inside of
    /// [`ContextLayer`](crate::ContextLayer), it is a `Message<T, Context<C>>` with the parsed input.
    pub fn new<P, C, V>(predicate: F) -> Self
    where
        F: Fn(&Message<P, C>) -> V,
        V: Verdict,
    {
        Self {
            predicate: OfMessage(predicate),
            code: Code::FORBIDDEN,
        }
    }
}

impl<F> AuthorizeLayer<OfContext<F>> {
    /// Creates a layer whose predicate reads the context alone, for any input.
    pub fn context<C, V>(predicate: F) -> Self
    where
        F: Fn(&Context<C>) -> V,
        V: Verdict,
    {
        Self {
            predicate: OfContext(predicate),
            code: Code::FORBIDDEN,
        }
    }
}

impl<Q> AuthorizeLayer<Q> {
    /// Refuses with UNAUTHORIZED instead of FORBIDDEN, for clients that have not authenticated and can sign in.
    #[must_use]
    pub fn unauthorized(self) -> Self {
        Self {
            code: Code::UNAUTHORIZED,
            ..self
        }
    }
}

impl<S, Q: Clone> Layer<S> for AuthorizeLayer<Q> {
    type Service = AuthorizeService<S, Q>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthorizeService::new(inner, self.predicate.clone(), self.code)
    }
}
