use tower::{BoxError, Service};

use crate::{
    context::Context,
    message::{Frame, FrameResponse, Outcome},
    protocol::RawPayload,
};

/// Returns a stack unchanged, and checks at compile time that its request is a [`Frame`] and its response a
/// [`FrameResponse`]. Wrap a stack made by hand in it: the compiler then names a layer that is missing or misplaced.
///
/// ```
/// use tower::ServiceBuilder;
/// use zocket_layers::{
///     Context, ContextLayer, DecodeLayer, Error, FanoutLayer, RescueLayer, ValidateLayer, handler_fn, stack,
/// };
///
/// async fn ping(_: Context<()>) -> Result<String, Error> {
///     Ok("pong".to_owned())
/// }
///
/// let whole = stack(
///     ServiceBuilder::new()
///         .layer(DecodeLayer::json())
///         .layer(RescueLayer::new())
///         .layer(FanoutLayer::new())
///         .layer(ValidateLayer::<()>::ignoring())
///         .layer(ContextLayer::<()>::new())
///         .service(handler_fn(ping)),
/// );
/// # drop(whole);
/// ```
pub fn stack<S>(whole: S) -> S
where
    S: Service<Frame, Response = FrameResponse>,
    S::Error: Into<BoxError>,
{
    whole
}

/// Bound on the context of a message that reaches a handler: a [`Context<C>`](Context). It has one implementation, and
/// exists so that the compiler names the layer that is missing or misplaced.
#[diagnostic::on_unimplemented(
    message = "the handler takes a `Context<{C}>`, and the message's context is `{Self}`",
    label = "no `Context<{C}>`",
    note = "`ContextLayer::<{C}>::new()` is missing outside of the handler, or names another type",
    note = "between the two, middleware (`with`, `with_input`) may pass on a context of another type"
)]
pub trait IsContext<C> {
    /// Returns the context itself.
    fn into_context(self) -> Context<C>;
}

impl<C> IsContext<C> for Context<C> {
    fn into_context(self) -> Self {
        self
    }
}

/// Bound on the payload of a message that reaches a handler: the input `I` that [`ValidateLayer`](crate::ValidateLayer)
/// has parsed. It has one implementation, and exists so that the compiler names the layer that is missing or misplaced.
#[diagnostic::on_unimplemented(
    message = "the handler takes a `{I}`, and the message's payload is a `{Self}`",
    label = "no `{I}`",
    note = "`ValidateLayer::<{I}>::new()` is missing outside of the handler, or names another type"
)]
pub trait IsInput<I> {
    /// Returns the input itself.
    fn into_input(self) -> I;
}

impl<I> IsInput<I> for I {
    fn into_input(self) -> I {
        self
    }
}

/// Arguments of a handler that can be called with the payload `P`: `(Context<C>,)` with any, `(Context<C>, I)` with an
/// `I`.
pub trait TakesPayload<P> {
    /// Type of the second argument, or `()` if there is none.
    type Input;

    /// Returns the second argument.
    fn take(payload: P) -> Self::Input;
}

impl<C, P> TakesPayload<P> for (Context<C>,) {
    type Input = ();

    fn take(_: P) {}
}

impl<C, I, P: IsInput<I>> TakesPayload<P> for (Context<C>, I) {
    type Input = I;

    fn take(payload: P) -> I {
        payload.into_input()
    }
}

/// Bound on the payload of a message that reaches [`ValidateLayer`](crate::ValidateLayer): unparsed. It has one
/// implementation, and exists so that the compiler names the layer that is missing or misplaced.
#[diagnostic::on_unimplemented(
    message = "`ValidateLayer` takes a raw message, and gets one with the payload `{Self}`",
    label = "validated before",
    note = "one `ValidateLayer` is enough"
)]
pub trait IsRaw {
    /// Returns the payload itself.
    fn raw(&self) -> &RawPayload;
}

impl IsRaw for RawPayload {
    fn raw(&self) -> &RawPayload {
        self
    }
}

/// Bound on the context of a message that reaches [`ValidateLayer`](crate::ValidateLayer): `()`, since validation
/// stands outside of [`ContextLayer`](crate::ContextLayer). It has one implementation, and exists so that the compiler
/// names the layer that is missing or misplaced.
#[diagnostic::on_unimplemented(
    message = "`ValidateLayer` stands inside of `ContextLayer`: the message has the context `{Self}` already",
    label = "a context before validation",
    note = "from outside to inside: decode, rescue, fan-out, validate, context, middleware, handler"
)]
pub trait NoContextYet {}

impl NoContextYet for () {}

/// Bound on the response of the service inside [`DecodeLayer`](crate::DecodeLayer): an [`Outcome`], as
/// [`RescueLayer`](crate::RescueLayer) returns it. It has one implementation, and exists so that the compiler names the
/// layer that is missing or misplaced.
#[diagnostic::on_unimplemented(
    message = "`DecodeLayer` wants an `Outcome` from inside, and gets a `{Self}`",
    label = "may still fail",
    note = "`RescueLayer::new()` is missing inside of `DecodeLayer`: it turns errors into answers"
)]
pub trait IsOutcome {
    /// Returns the outcome itself.
    fn into_outcome(self) -> Outcome;
}

impl IsOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

/// The service that an app's, a router's or a procedure's layers make. It is `Clone`: each connection gets a clone of
/// the app's layers, each message one of its route's.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't serve messages by its clones",
    label = "a layer makes a service that is not `Clone`, or does not take `{M}`",
    note = "each connection gets a clone of the app's layers, each message one of its route's",
    note = "a service of your own derives `Clone`, and has what its clones share behind an `Arc`",
    note = "of any other service a buffer keeps one instance: `ServiceBuilder::new().buffer(32).layer(..).into_inner()`"
)]
pub trait ServedByClones<M>: Service<M> + Clone {}

impl<S: Service<M> + Clone, M> ServedByClones<M> for S {}
