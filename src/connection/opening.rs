//! The app's `on_open`, which the driver polls until it has completed.

use std::{
    sync::Arc,
    task::{Context as Task, Poll},
};

use futures_util::FutureExt;
use zocket_layers::{
    ClientId, Context, Error,
    internal::{self, caught},
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
    let close = match caught(|| poll_app(cx, |cx| future.poll_unpin(cx))) {
        Ok(Poll::Pending) => return Ok(()),
        Ok(Poll::Ready(Ok(()))) => None,
        Ok(Poll::Ready(Err(error))) => {
            let close = refused_on_open(&error);
            drop_contained(error);
            Some(close)
        }
        Err(_) => Some(INTERNAL_ERROR),
    };
    drop_contained(opening.take());
    match close {
        Some(close) => {
            tracing::error!(%client, ?close, "on_open failed");
            Err(End::ByServer(close))
        }
        None => Ok(()),
    }
}
