//! A connection that is established, until its end.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
};

use tower::{BoxError, Service};
use zocket_layers::{Frame, FrameResponse};

use super::{driver::Driver, session::End};
use crate::{
    core::{Core, DisconnectGuard, RegistryGuard},
    upgrade::address::OpenSlot,
};

/// A connection that is established. It is one allocation, so that the task of an idle connection is little more than a
/// pointer to it.
pub(super) struct Established<C: Send + Sync + 'static, S: Service<Frame>> {
    driver: Driver<S>,
    core: Arc<Core<C>>,
    guard: DisconnectGuard<C>,
    /// Keeps the connection registered until its closing handshake has ended, even if `on_disconnect` finishes earlier.
    registered: Option<Arc<RegistryGuard<C>>>,
    /// Counts the client for its address. A session that can be resumed counts by itself.
    place: Option<OpenSlot>,
}

impl<C, S> Established<C, S>
where
    C: Send + Sync + 'static,
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    pub(super) fn new(
        driver: Driver<S>,
        core: Arc<Core<C>>,
        guard: DisconnectGuard<C>,
        place: Option<OpenSlot>,
    ) -> Self {
        Self {
            driver,
            registered: guard.registered(),
            core,
            guard,
            place,
        }
    }

    /// Drives the connection to its end, then tears it down.
    pub(super) async fn run(mut self: Box<Self>) {
        let end = poll_fn(|cx| self.driver.poll(cx)).await;
        self.end(end).await;
    }

    /// Returns the teardown, boxed: the task of an open connection reserves no memory for it.
    #[expect(
        clippy::boxed_local,
        reason = "the allocation ends here, and not with the teardown"
    )]
    fn end(self: Box<Self>, end: End) -> Pin<Box<impl Future<Output = ()>>> {
        let Self {
            mut driver,
            core,
            guard,
            registered,
            place,
        } = *self;
        driver.detach(&end);
        driver.session.stop_sending(&end);
        let teardown = driver.into_teardown();
        Box::pin(async move {
            core.teardown.run(teardown.run(end, &core, guard)).await;
            drop((registered, place));
        })
    }
}
