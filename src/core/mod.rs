//! State that the connections of an app share.

mod background;
mod client_handle;
pub(crate) mod closes;
mod disconnect_guard;
mod lifecycle;
pub(crate) mod meter;
mod registry;
mod teardown_queue;

use std::sync::Arc;

use zocket_layers::{Declared, Hub, Limits};

use self::background::Background;

pub(crate) use self::{
    client_handle::ClientHandle,
    disconnect_guard::DisconnectGuard,
    lifecycle::{BoxFuture, Connect, Lifecycle, Rejection},
    registry::{ConnectionRegistry, RegistryGuard},
    teardown_queue::TeardownQueue,
};
use crate::upgrade::origin::OriginChoice;

/// State that the connections of an app share.
pub(crate) struct Core<C> {
    pub(crate) hub: Arc<dyn Hub>,
    /// Events and routes of the routers that are served.
    pub(crate) declared: Declared,
    pub(crate) limits: Arc<Limits>,
    /// Messages of one connection that may be handled at once, besides those of concurrent routes.
    pub(crate) concurrency: usize,
    pub(crate) lifecycle: Lifecycle<C>,
    /// Pages that may connect.
    pub(crate) origins: OriginChoice,
    pub(crate) registry: Arc<ConnectionRegistry<C>>,
    pub(crate) teardown: TeardownQueue,
    background: Background,
}

impl<C> Core<C> {
    pub(crate) fn new(
        hub: Arc<dyn Hub>,
        limits: Arc<Limits>,
        concurrency: usize,
        lifecycle: Lifecycle<C>,
        origins: OriginChoice,
    ) -> Self {
        Self {
            hub,
            declared: Declared::default(),
            limits,
            concurrency,
            lifecycle,
            origins,
            registry: Arc::default(),
            teardown: TeardownQueue::default(),
            background: Background::default(),
        }
    }

    /// Spawns the hub's background future at the first call on each runtime. Not in [`new`](Self::new), since an app may
    /// be built outside of a runtime.
    pub(crate) fn start_background(&self) {
        self.background.start(&*self.hub);
    }
}
