//! The `on_disconnect` callback, which runs at the end of a connection.

use std::future::Future;

use zocket_layers::Context;

use crate::core::{Disconnect, Reason};

/// Callback for the end of a connection: `async fn(Context<C>)`, or with the [`Reason`] as its second argument. `M`
/// distinguishes the two forms. It is inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be called when a connection of `Context<{C}>` ends",
    note = "expected `async fn(Context<{C}>)` or `async fn(Context<{C}>, Reason)`",
    note = "the context is what `on_connect` makes: call `on_connect` before"
)]
pub trait OnDisconnect<C, M>: Send + Sync + 'static {
    /// Returns the future of the callback.
    fn disconnect(&self, context: Context<C>, reason: Reason) -> impl Future<Output = ()> + Send + 'static;
}

impl<F, Fut, C> OnDisconnect<C, (Context<C>,)> for F
where
    F: Fn(Context<C>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    fn disconnect(&self, context: Context<C>, _: Reason) -> impl Future<Output = ()> + Send + 'static {
        self(context)
    }
}

impl<F, Fut, C> OnDisconnect<C, (Context<C>, Reason)> for F
where
    F: Fn(Context<C>, Reason) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    fn disconnect(&self, context: Context<C>, reason: Reason) -> impl Future<Output = ()> + Send + 'static {
        self(context, reason)
    }
}

/// Returns the function that calls the app's callback.
pub(crate) fn disconnect<C, F, M>(f: F) -> Disconnect<C>
where
    F: OnDisconnect<C, M>,
{
    Box::new(move |context, reason| Box::pin(f.disconnect(context, reason)))
}
