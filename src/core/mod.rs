//! State that the connections of an app share.

mod app_limits;
mod background;
mod client_handle;
pub(crate) mod closes;
pub(crate) mod contain;
mod disconnect_guard;
mod ending;
mod lifecycle;
pub(crate) mod meter;
#[cfg(feature = "nats")]
mod moves;
#[cfg(feature = "nats")]
mod rarely;
mod reason;
mod registry;
mod replay_range;
mod resume_slot;
mod sessions;
mod settings;
mod shutdown;
mod teardown_queue;

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::select;
use http::request::Parts;
use tokio::{sync::Semaphore, time::sleep};
use zocket_layers::{Declared, Hub, Limits, LocalHub, hub::Peers};

use self::background::Background;

pub use self::{app_limits::AppLimits, reason::Reason, shutdown::Shutdown};
pub(crate) use self::{
    client_handle::ClientHandle,
    disconnect_guard::DisconnectGuard,
    ending::{Ending, Stage},
    lifecycle::{BoxFuture, Connect, Disconnect, Fingerprint, Lifecycle, Rejection, Resume},
    registry::{Attempt, ConnectionRegistry, NotAdmitted, Phase, RegistryGuard},
    replay_range::ReplayRange,
    resume_slot::{Admission, Arrival, Arrived, Caller, ResumeOffer, ResumeSlot},
    sessions::Sessions,
    settings::Settings,
    teardown_queue::TeardownQueue,
};
#[cfg(feature = "nats")]
pub(crate) use self::{
    moves::{FormerSession, end_elsewhere},
    rarely::Rarely,
};
use crate::upgrade::origin::OriginChoice;

/// State that the connections of an app share.
pub(crate) struct Core<C> {
    pub(crate) hub: Arc<dyn Hub>,
    /// Events and routes of the routers that are served.
    pub(crate) declared: Declared,
    pub(crate) limits: Arc<Limits>,
    pub(crate) app_limits: AppLimits,
    /// Messages of one connection that may be handled at once, besides those of concurrent routes.
    pub(crate) concurrency: usize,
    pub(crate) lifecycle: Lifecycle<C>,
    /// Pages that may connect.
    pub(crate) origins: OriginChoice,
    pub(crate) registry: Arc<ConnectionRegistry<C>>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) teardown: TeardownQueue,
    /// One permit for each WebSocket that is opened only to tell a refusal.
    pub(crate) refusals: Arc<Semaphore>,
    background: Background,
    /// Answers other nodes. The hub holds it weakly.
    #[cfg(feature = "nats")]
    _moves: Option<Arc<moves::Moves>>,
}

impl<C> Core<C> {
    pub(crate) fn new(settings: Settings, lifecycle: Lifecycle<C>) -> Self {
        let Settings {
            hub,
            limits,
            app_limits,
            concurrency,
            origins,
        } = settings;
        let hub = hub.unwrap_or_else(|| Arc::new(LocalHub::with_limits(&limits)));
        let node = peers(&*hub).map(Peers::name);
        let sessions = Arc::new(Sessions::new(&app_limits).of_node(node));
        Self {
            #[cfg(feature = "nats")]
            _moves: moves::Moves::begin(&*hub, &sessions, app_limits.open_within),
            hub,
            declared: Declared::default(),
            limits,
            refusals: Arc::new(Semaphore::new(app_limits.refusals.min(Semaphore::MAX_PERMITS))),
            sessions,
            app_limits,
            concurrency,
            lifecycle,
            origins,
            registry: Arc::default(),
            teardown: TeardownQueue::default(),
            background: Background::default(),
        }
    }

    /// Resolves after this time, or once the grace period of a shutdown is over.
    pub(crate) async fn over(&self, time: Duration) {
        select(pin!(sleep(time)), pin!(self.registry.reached(Phase::Cut))).await;
    }

    /// Returns a hash of the headers that the client of a request is recognized by.
    pub(crate) fn fingerprint(&self, request: &Parts) -> u64 {
        (self.lifecycle.fingerprint)(request, peers(&*self.hub).is_some())
    }

    /// Spawns the hub's background future at the first call on each runtime. Not in [`new`](Self::new), since an app may
    /// be built outside of a runtime.
    pub(crate) fn start_background(&self) {
        self.background.start(&*self.hub);
    }
}

/// Returns the other nodes of a hub, which are asked with the feature `nats` only.
fn peers(hub: &dyn Hub) -> Option<&dyn Peers> {
    hub.peers().filter(|_| cfg!(feature = "nats"))
}
