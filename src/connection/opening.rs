//! The app's `on_open`, which the driver polls until it has completed.

use std::{
    sync::Arc,
    task::{Context as Task, Poll},
};

use futures_util::FutureExt;
use zocket_layers::{
    ClientId, Close, Code, Context, Error,
    internal::{self, caught},
    rescue::explain,
};

use super::{budget::poll_app, session::End};
use crate::core::{
    BoxFuture, Core,
    closes::{INTERNAL_ERROR, refused_on_open},
    contain::drop_contained,
};

/// Runs the app's `on_open`, and waits until its effects have been performed.
pub(super) fn open<C: Send + Sync + 'static>(
    core: Arc<Core<C>>,
    context: Context<C>,
) -> BoxFuture<Result<(), Error>> {
    Box::pin(async move {
        let Some(open) = &core.lifecycle.open else {
            return Ok(());
        };
        open(context.clone()).await?;
        internal::performed(&context).await
    })
}

/// Polls `on_open`, and drops it once it has completed.
///
/// # Errors
/// The end of the connection, if it failed: 1008 with the error's code as the reason, or 1011 after a panic.
pub(super) fn poll_opening(
    opening: &mut Option<BoxFuture<Result<(), Error>>>,
    client: ClientId,
    cx: &mut Task<'_>,
) -> Result<(), End> {
    let Some(future) = opening else {
        return Ok(());
    };
    let opened = match caught(|| poll_app(cx, |cx| future.poll_unpin(cx))) {
        Ok(Poll::Pending) => return Ok(()),
        Ok(Poll::Ready(Ok(()))) => Ok(()),
        Ok(Poll::Ready(Err(error))) => Err(refused(client, error)),
        Err(panic) => {
            let error = explain(panic);
            tracing::error!(%client, %error, "on_open panicked");
            Err(INTERNAL_ERROR)
        }
    };
    drop_contained(opening.take());
    opened.map_err(End::ByServer)
}

/// Logs an error of `on_open`. Returns the close for it.
fn refused(client: ClientId, error: Error) -> Close {
    // Logs the details of an internal error under an id.
    let error = explain(error.into());
    match error.code() {
        Code::INTERNAL_SERVER_ERROR => tracing::error!(%client, %error, "on_open failed"),
        _ => tracing::info!(%client, %error, "on_open refused the client"),
    }
    let close = refused_on_open(&error);
    drop_contained(error);
    close
}
