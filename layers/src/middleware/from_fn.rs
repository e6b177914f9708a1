use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    mem,
    pin::Pin,
    task::{Context as Task, Poll},
};

use pin_project::pin_project;
use tower::{BoxError, Layer, Service, ServiceExt, util::BoxCloneSyncService};

use crate::message::{Message, Reply};

/// Creates a layer from an `async fn(Message<P, C>, Next<P, C>) -> Result<Reply, E>`, which runs code around the call.
/// It works wherever messages have that type. Outside of [`ValidateLayer`](crate::ValidateLayer), where the payload is
/// not parsed yet, the function is `async fn(Message, Next)`.
pub fn from_fn<F, Fut, P, C, E>(f: F) -> FromFnLayer<F, P, C>
where
    F: Fn(Message<P, C>, Next<P, C>) -> Fut,
    Fut: Future<Output = Result<Reply, E>>,
    E: Into<BoxError>,
{
    FromFnLayer { f, kind: PhantomData }
}

/// The rest of the stack, ready to be called.
pub struct Next<P = crate::RawPayload, C = ()>(BoxCloneSyncService<Message<P, C>, Reply, BoxError>);

impl<P, C> Next<P, C> {
    /// Runs the rest of the stack.
    ///
    /// # Errors
    /// Any error of the rest of the stack.
    pub async fn run(mut self, message: Message<P, C>) -> Result<Reply, BoxError> {
        self.0.call(message).await
    }
}

impl<P, C> fmt::Debug for Next<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Next")
    }
}

/// The layer that [`from_fn`] makes.
pub struct FromFnLayer<F, P, C> {
    f: F,
    kind: PhantomData<fn(P, C)>,
}

impl<F: Clone, P, C> Clone for FromFnLayer<F, P, C> {
    fn clone(&self) -> Self {
        Self {
            f: self.f.clone(),
            kind: PhantomData,
        }
    }
}

impl<F, P, C> fmt::Debug for FromFnLayer<F, P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FromFnLayer<{}>", std::any::type_name::<F>())
    }
}

impl<F: Clone, S, P, C> Layer<S> for FromFnLayer<F, P, C>
where
    S: Service<Message<P, C>, Response = Reply> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    P: 'static,
    C: 'static,
{
    type Service = FromFnService<F, P, C>;

    fn layer(&self, inner: S) -> Self::Service {
        FromFnService {
            f: self.f.clone(),
            inner: BoxCloneSyncService::new(inner.map_err(Into::into)),
        }
    }
}

/// The service of [`FromFnLayer`].
pub struct FromFnService<F, P, C> {
    f: F,
    inner: BoxCloneSyncService<Message<P, C>, Reply, BoxError>,
}

impl<F: Clone, P, C> Clone for FromFnService<F, P, C> {
    fn clone(&self) -> Self {
        Self {
            f: self.f.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<F, P, C> fmt::Debug for FromFnService<F, P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FromFnService<{}>", std::any::type_name::<F>())
    }
}

impl<F, Fut, P, C, E> Service<Message<P, C>> for FromFnService<F, P, C>
where
    F: Fn(Message<P, C>, Next<P, C>) -> Fut,
    Fut: Future<Output = Result<Reply, E>>,
    E: Into<BoxError>,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = FromFnFuture<Fut>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, message: Message<P, C>) -> Self::Future {
        let fresh = self.inner.clone();
        let ready = mem::replace(&mut self.inner, fresh);
        FromFnFuture {
            inner: (self.f)(message, Next(ready)),
        }
    }
}

/// The future of [`FromFnService`].
#[pin_project]
#[derive(Debug)]
pub struct FromFnFuture<F> {
    #[pin]
    inner: F,
}

impl<F, E> Future for FromFnFuture<F>
where
    F: Future<Output = Result<Reply, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Reply, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map_err(Into::into)
    }
}
