use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use pin_project::pin_project;
use schemars::JsonSchema;
use serde::Serialize;
use tower::Service;

use super::stack::{IsContext, IsInput};
use crate::{
    context::Context,
    error::Error,
    message::{Message, MessageState, Reply},
};

/// A function that answers a message: `async fn(Context<C>) -> Result<R, Error>`, or
/// `async fn(Context<C>, I) -> Result<R, Error>` if the message has an input. `R` is the answer, or `()` for none.
///
/// An async closure without captures is a handler too. The future of one with captures borrows from the closure. Shared
/// state belongs in the context's value.
///
/// The type `M` distinguishes the two kinds. The compiler infers it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't handle a message with the context `{C}` and the input `{I}`",
    label = "not a handler for `Context<{C}>` and `{I}`",
    note = "a handler is `async fn(Context<{C}>) -> Result<R, Error>` or `async fn(Context<{C}>, {I}) -> Result<R, Error>`, with `R: Serialize + JsonSchema`",
    note = "where it takes another context than `{C}`, the middleware that makes it is missing: `.with(f)` before `.handle(..)`",
    note = "where it takes another input than `{I}`, `.input::<T>()` is missing or names another type",
    note = "where both fit, it is a closure that captures, or its `Err` is not a `zocket::Error`: the guide's page on errors has the fixes"
)]
pub trait Handler<C, I, M>: Clone + Send + Sync + 'static {
    /// Type of the answer.
    type Answer: Serialize + JsonSchema + 'static;
    /// Future of the call. A procedure requires that it is `Send`. The bound is there and not here, so that the
    /// compiler names the value that a future holds across an `.await`.
    type Future: Future<Output = Result<Self::Answer, Error>>;

    /// Starts handling one message.
    fn handle(&self, cx: Context<C>, input: I) -> Self::Future;
}

impl<F, Fut, R, C, I> Handler<C, I, (Context<C>,)> for F
where
    F: Fn(Context<C>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>>,
    R: Serialize + JsonSchema + 'static,
{
    type Answer = R;
    type Future = Fut;

    fn handle(&self, cx: Context<C>, _: I) -> Fut {
        self(cx)
    }
}

impl<F, Fut, R, C, I> Handler<C, I, (Context<C>, I)> for F
where
    F: Fn(Context<C>, I) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>>,
    R: Serialize + JsonSchema + 'static,
{
    type Answer = R;
    type Future = Fut;

    fn handle(&self, cx: Context<C>, input: I) -> Fut {
        self(cx, input)
    }
}

/// Turns a handler into the innermost service of a stack, inside of [`ContextLayer`](crate::ContextLayer).
pub fn handler_fn<H, C, I, M>(handler: H) -> HandlerService<H, C, I, M>
where
    H: Handler<C, I, M>,
{
    HandlerService {
        handler,
        kind: PhantomData,
    }
}

type Kind<C, I, M> = PhantomData<fn() -> (C, I, M)>;

/// The service that [`handler_fn`] makes.
pub struct HandlerService<H, C, I, M> {
    handler: H,
    kind: Kind<C, I, M>,
}

impl<H: Clone, C, I, M> Clone for HandlerService<H, C, I, M> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            kind: PhantomData,
        }
    }
}

impl<H, C, I, M> fmt::Debug for HandlerService<H, C, I, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerService<{}>", std::any::type_name::<H>())
    }
}

/// Generic over payload and context, so that a mismatch is reported by the messages of [`IsInput`] and [`IsContext`].
impl<H, C, I, M, P, X> Service<Message<P, X>> for HandlerService<H, C, I, M>
where
    H: Handler<C, I, M>,
    P: IsInput<I>,
    X: IsContext<C>,
{
    type Response = Reply;
    type Error = Error;
    type Future = HandlerFuture<H::Future>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, message: Message<P, X>) -> Self::Future {
        let (parts, cx, input) = message.into_parts();
        HandlerFuture {
            inner: self.handler.handle(cx.into_context(), input.into_input()),
            state: Some(parts.state),
        }
    }
}

/// The future of [`HandlerService`].
#[pin_project]
#[derive(Debug)]
pub struct HandlerFuture<F> {
    #[pin]
    inner: F,
    /// State of the message, moved into the reply.
    state: Option<MessageState>,
}

impl<F, R> Future for HandlerFuture<F>
where
    F: Future<Output = Result<R, Error>>,
    R: Serialize + 'static,
{
    type Output = Result<Reply, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx))?;
        let mut reply = Reply::of(&answer)?;
        if let Some(state) = this.state.take() {
            reply.effects = state.take_held();
            reply.state = Some(state);
        }
        Poll::Ready(Ok(reply))
    }
}
