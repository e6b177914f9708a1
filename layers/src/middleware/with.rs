use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    mem,
    task::{Context as Task, Poll},
};

use tower::{BoxError, Layer, Service};

use super::future::{KeptPayload, WithFuture};
use crate::{
    context::Context,
    error::Error,
    message::{Message, Reply},
};

/// Creates a layer from an `async fn(Context<C>) -> Result<D, Error>`. The message continues with a `Context<D>`, or
/// is refused.
pub fn with<F, Fut, C, D>(f: F) -> WithLayer<F, C, D>
where
    F: Fn(Context<C>) -> Fut,
    Fut: Future<Output = Result<D, Error>>,
{
    WithLayer { f, kind: PhantomData }
}

/// The layer that [`with`] makes.
pub struct WithLayer<F, C, D> {
    f: F,
    kind: PhantomData<fn(C) -> D>,
}

/// The service of [`WithLayer`].
pub struct WithService<F, S, C, D> {
    f: F,
    inner: S,
    kind: PhantomData<fn(C) -> D>,
}

impl<F: Clone, C, D> Clone for WithLayer<F, C, D> {
    fn clone(&self) -> Self {
        Self {
            f: self.f.clone(),
            kind: PhantomData,
        }
    }
}

impl<F, C, D> fmt::Debug for WithLayer<F, C, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WithLayer<{}>", std::any::type_name::<F>())
    }
}

impl<F: Clone, S, C, D> Layer<S> for WithLayer<F, C, D> {
    type Service = WithService<F, S, C, D>;

    fn layer(&self, inner: S) -> Self::Service {
        WithService {
            f: self.f.clone(),
            inner,
            kind: PhantomData,
        }
    }
}

impl<F: Clone, S: Clone, C, D> Clone for WithService<F, S, C, D> {
    fn clone(&self) -> Self {
        Self {
            f: self.f.clone(),
            inner: self.inner.clone(),
            kind: PhantomData,
        }
    }
}

impl<F, S: fmt::Debug, C, D> fmt::Debug for WithService<F, S, C, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<F, Fut, S, C, D, P> Service<Message<P, Context<C>>> for WithService<F, S, C, D>
where
    F: Fn(Context<C>) -> Fut,
    Fut: Future<Output = Result<D, Error>>,
    S: Service<Message<P, Context<D>>, Response = Reply> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = WithFuture<Fut, S, KeptPayload<P>, D, P>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message<P, Context<C>>) -> Self::Future {
        let fresh = self.inner.clone();
        let ready = mem::replace(&mut self.inner, fresh);
        let (parts, context, payload) = message.into_parts();
        WithFuture::new((self.f)(context), ready, parts, KeptPayload(payload))
    }
}
