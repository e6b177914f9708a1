use tower::Layer;

use super::{AuthorizeService, OfContext, OfMessage, Verdict};
use crate::{context::Context, error::Code, message::Message};

/// Lets those messages pass that a predicate allows, and refuses the others.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizeLayer<Q> {
    predicate: Q,
    code: Code,
}

impl<F> AuthorizeLayer<OfMessage<F>> {
    /// Asks about the whole message, as it is where the layer stands: raw, or with its input and context.
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
    /// Asks about the context, whatever the input.
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
    /// Refuses with UNAUTHORIZED instead of FORBIDDEN: it is not known who asks, and signing in would help.
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
