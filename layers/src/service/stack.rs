use tower::{BoxError, Service};

use crate::{
    context::Context,
    message::{Frame, FrameResponse, Outcome},
    protocol::RawPayload,
};

/// Returns a whole stack as it is: its request is a [`Frame`], its response a [`FrameResponse`]. Stacks made by hand go
/// through it, so that the compiler names a layer that is missing or in the wrong place.
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

/// The context that a handler takes: a [`Context`], and nothing else.
#[diagnostic::on_unimplemented(
    message = "the handler takes a `Context<{C}>`, and the message's context is `{Self}`",
    label = "no `Context<{C}>`",
    note = "`ContextLayer::<{C}>::new()` is missing outside of the handler, or names another type",
    note = "between the two, middleware (`with`, `with_input`) may hand on a context of another type"
)]
pub trait IsContext<C> {
    /// Itself.
    fn into_context(self) -> Context<C>;
}

impl<C> IsContext<C> for Context<C> {
    fn into_context(self) -> Self {
        self
    }
}

/// The input that a handler takes, as validation has made it.
#[diagnostic::on_unimplemented(
    message = "the handler takes a `{I}`, and the message's payload is a `{Self}`",
    label = "no `{I}`",
    note = "`ValidateLayer::<{I}>::new()` is missing outside of the handler, or names another type"
)]
pub trait IsInput<I> {
    /// Itself.
    fn into_input(self) -> I;
}

impl<I> IsInput<I> for I {
    fn into_input(self) -> I {
        self
    }
}

/// The payload that validation takes: bytes.
#[diagnostic::on_unimplemented(
    message = "`ValidateLayer` takes a raw message, and gets one with the payload `{Self}`",
    label = "validated before",
    note = "one `ValidateLayer` is enough"
)]
pub trait IsRaw {
    /// Itself.
    fn raw(&self) -> &RawPayload;
}

impl IsRaw for RawPayload {
    fn raw(&self) -> &RawPayload {
        self
    }
}

/// The context that validation finds: none yet.
#[diagnostic::on_unimplemented(
    message = "`ValidateLayer` stands inside of `ContextLayer`: the message has the context `{Self}` already",
    label = "a context before validation",
    note = "from outside to inside: decode, rescue, fan-out, validate, context, middleware, handler"
)]
pub trait NoContextYet {}

impl NoContextYet for () {}

/// The response that decoding takes: an outcome, which can't fail.
#[diagnostic::on_unimplemented(
    message = "`DecodeLayer` wants an `Outcome` from inside, and gets a `{Self}`",
    label = "may still fail",
    note = "`RescueLayer::new()` is missing inside of `DecodeLayer`: it turns errors into answers"
)]
pub trait IsOutcome {
    /// Itself.
    fn into_outcome(self) -> Outcome;
}

impl IsOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}
