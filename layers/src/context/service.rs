use std::{
    fmt,
    marker::PhantomData,
    task::{Context as Task, Poll},
};

use tower::{BoxError, Service};

use super::value::Context;
use crate::{
    error::Error,
    message::{Message, Reply},
    service::{RefusableFuture, report_context},
};

/// The service of [`ContextLayer`](super::ContextLayer).
pub struct ContextService<S, C> {
    inner: S,
    context: PhantomData<fn() -> C>,
}

impl<S, C> ContextService<S, C> {
    /// Wraps a service.
    pub const fn new(inner: S) -> Self {
        Self {
            inner,
            context: PhantomData,
        }
    }
}

impl<S: Clone, C: 'static> Clone for ContextService<S, C> {
    fn clone(&self) -> Self {
        report_context::<C>();
        Self::new(self.inner.clone())
    }
}

impl<S: fmt::Debug, C> fmt::Debug for ContextService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, C, P> Service<Message<P>> for ContextService<S, C>
where
    S: Service<Message<P, Context<C>>, Response = Reply>,
    S::Error: Into<BoxError>,
    C: Send + Sync + 'static,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = RefusableFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message<P>) -> Self::Future {
        let (parts, (), payload) = message.into_parts();
        let Some(value) = parts.connection().context::<C>() else {
            // An app has one context type; only a stack built by hand can get here.
            return RefusableFuture::refused(Error::internal(format!(
                "expected the connection's context to be a `{}`, got another type: ContextLayer and on_connect must agree",
                std::any::type_name::<C>()
            )));
        };
        let context = Context::of_message(&parts, value);
        RefusableFuture::inner(self.inner.call(Message::from_parts(parts, context, payload)))
    }
}
