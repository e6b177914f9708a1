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

use super::stack::{IsContext, TakesPayload};
use crate::{
    context::Context,
    error::Error,
    message::{Message, MessageState, Reply},
};

/// A function that answers a message: `async fn(Context<C>) -> Result<R, Error>`, or
/// `async fn(Context<C>, I) -> Result<R, Error>` if it takes the message's input. `R` is the answer, or `()` for none.
///
/// An async closure without captures is a handler too. The future of one with captures borrows from the closure. Shared
/// state belongs in the context's value.
///
/// The type `M` has the arguments: `(Context<C>,)` or `(Context<C>, I)`. The compiler infers it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't handle a message with the context `{C}`",
    label = "not a handler for `Context<{C}>`",
    note = "a handler is `async fn(Context<{C}>) -> Result<R, Error>` or `async fn(Context<{C}>, I) -> Result<R, Error>`, with `R: Serialize + JsonSchema`",
    note = "where it takes another context than `{C}`, the middleware that makes it is missing: `.with(f)` before `.handle(..)`",
    note = "where its `Err` is another type than `zocket::Error`, such as one with `impl Refusal`: return `Result<R, Error>`, and refuse by `Err(Error::refuse(..))`",
    note = "where all of this fits, it is a closure that captures: the guide's page on errors has the fix"
)]
pub trait Handler<C, M>: Clone + Send + Sync + 'static {
    /// Type of the second argument, or `()` if there is none.
    type Input;
    /// Type of the answer.
    type Answer: Serialize + JsonSchema + 'static;
    /// Future of the call. A procedure requires that it is `Send`. The bound is there and not here, so that the
    /// compiler names the value that a future holds across an `.await`.
    type Future: Future<Output = Result<Self::Answer, Error>>;

    /// Starts handling one message.
    fn handle(&self, cx: Context<C>, input: Self::Input) -> Self::Future;
}

impl<F, Fut, R, C> Handler<C, (Context<C>,)> for F
where
    F: Fn(Context<C>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>>,
    R: Serialize + JsonSchema + 'static,
{
    type Input = ();
    type Answer = R;
    type Future = Fut;

    fn handle(&self, cx: Context<C>, (): ()) -> Fut {
        self(cx)
    }
}

impl<F, Fut, R, C, I> Handler<C, (Context<C>, I)> for F
where
    F: Fn(Context<C>, I) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>>,
    R: Serialize + JsonSchema + 'static,
{
    type Input = I;
    type Answer = R;
    type Future = Fut;

    fn handle(&self, cx: Context<C>, input: I) -> Fut {
        self(cx, input)
    }
}

/// Turns a handler into the innermost service of a stack, inside of [`ContextLayer`](crate::ContextLayer).
pub fn handler_fn<H, C, M>(handler: H) -> HandlerService<H, C, M>
where
    H: Handler<C, M>,
{
    HandlerService {
        handler,
        kind: PhantomData,
    }
}

type Kind<C, M> = PhantomData<fn() -> (C, M)>;

/// The service that [`handler_fn`] makes.
pub struct HandlerService<H, C, M> {
    handler: H,
    kind: Kind<C, M>,
}

impl<H: Clone, C, M> Clone for HandlerService<H, C, M> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            kind: PhantomData,
        }
    }
}

impl<H, C, M> fmt::Debug for HandlerService<H, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerService<{}>", std::any::type_name::<H>())
    }
}

/// Generic over payload and context, so that a mismatch is reported by the messages of
/// [`IsInput`](super::IsInput) and [`IsContext`].
impl<H, C, M, P, X> Service<Message<P, X>> for HandlerService<H, C, M>
where
    H: Handler<C, M>,
    M: TakesPayload<P, Input = H::Input>,
    X: IsContext<C>,
{
    type Response = Reply;
    type Error = Error;
    type Future = HandlerFuture<H::Future>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, message: Message<P, X>) -> Self::Future {
        let (parts, cx, payload) = message.into_parts();
        HandlerFuture {
            inner: self.handler.handle(cx.into_context(), M::take(payload)),
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
