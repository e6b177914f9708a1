use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    mem,
    task::{Context as Task, Poll},
};

use tower::{BoxError, Layer, Service};

use super::future::{ReturnedPayload, WithFuture};
use crate::{
    context::Context,
    error::Error,
    message::{Message, Reply},
};

/// Creates a layer from an `async fn(Context<C>, T) -> Result<(D, T), Error>`, which decides by the input or changes
/// it. The message continues with a `Context<D>` and the returned `T`, or is refused.
pub fn with_input<F, Fut, C, D, T>(f: F) -> WithInputLayer<F, C, D>
where
    F: Fn(Context<C>, T) -> Fut,
    Fut: Future<Output = Result<(D, T), Error>>,
{
    WithInputLayer { f, kind: PhantomData }
}

/// The layer that [`with_input`] makes.
pub struct WithInputLayer<F, C, D> {
    f: F,
    kind: PhantomData<fn(C) -> D>,
}

/// The service of [`WithInputLayer`].
pub struct WithInputService<F, S, C, D> {
    f: F,
    inner: S,
    kind: PhantomData<fn(C) -> D>,
}

impl<F: Clone, C, D> Clone for WithInputLayer<F, C, D> {
    fn clone(&self) -> Self {
        Self {
            f: self.f.clone(),
            kind: PhantomData,
        }
    }
}

impl<F, C, D> fmt::Debug for WithInputLayer<F, C, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WithInputLayer<{}>", std::any::type_name::<F>())
    }
}

impl<F: Clone, S, C, D> Layer<S> for WithInputLayer<F, C, D> {
    type Service = WithInputService<F, S, C, D>;

    fn layer(&self, inner: S) -> Self::Service {
        WithInputService {
            f: self.f.clone(),
            inner,
            kind: PhantomData,
        }
    }
}

impl<F: Clone, S: Clone, C, D> Clone for WithInputService<F, S, C, D> {
    fn clone(&self) -> Self {
        Self {
            f: self.f.clone(),
            inner: self.inner.clone(),
            kind: PhantomData,
        }
    }
}

impl<F, S: fmt::Debug, C, D> fmt::Debug for WithInputService<F, S, C, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithInputService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<F, Fut, S, C, D, P> Service<Message<P, Context<C>>> for WithInputService<F, S, C, D>
where
    F: Fn(Context<C>, P) -> Fut,
    Fut: Future<Output = Result<(D, P), Error>>,
    S: Service<Message<P, Context<D>>, Response = Reply> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = WithFuture<Fut, S, ReturnedPayload, D, P>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message<P, Context<C>>) -> Self::Future {
        let fresh = self.inner.clone();
        let ready = mem::replace(&mut self.inner, fresh);
        let (parts, context, payload) = message.into_parts();
        WithFuture::new((self.f)(context, payload), ready, parts, ReturnedPayload)
    }
}
