use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Extensions;
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use url::Url;
use zocket_layers::{Hub, LocalHub, Target};

use super::{
    chance::Chance,
    failure::Failure,
    fault::{Fault, link_faults},
    hub::ObservedHub,
    model::Model,
    settings::Settings,
    totals::Totals,
};
use crate::{
    client::headers::Headers,
    testing::{TestApp, link::LinkFaults},
};

/// One run of a simulation, as the app sees it while it is built. Clones are the same run.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    seed: u64,
    settings: Settings,
    faults: Vec<Fault>,
    chance: Chance,
    shared: Mutex<Extensions>,
    began: Instant,
    app: OnceLock<TestApp>,
    /// Address of the proxy of a soak.
    addr: OnceLock<SocketAddr>,
    model: Arc<Mutex<Model>>,
    hub: Mutex<Option<Arc<dyn Hub>>>,
    totals: Mutex<Totals>,
    is_shutting_down: AtomicBool,
    failure: Mutex<Option<Failure>>,
    failed: Notify,
}

impl World {
    pub(super) fn new(seed: u64, settings: Settings, faults: Vec<Fault>) -> Self {
        Self(Arc::new(Inner {
            seed,
            settings,
            faults,
            chance: Chance::new(seed, 2),
            shared: Mutex::default(),
            began: Instant::now(),
            app: OnceLock::new(),
            addr: OnceLock::new(),
            model: Arc::default(),
            hub: Mutex::default(),
            totals: Mutex::default(),
            is_shutting_down: AtomicBool::new(false),
            failure: Mutex::default(),
            failed: Notify::default(),
        }))
    }

    /// Returns the seed of the run.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// Returns random numbers for the app.
    #[must_use]
    pub fn chance(&self) -> &Chance {
        &self.0.chance
    }

    /// Stores a value of this type, for the script: see [`shared`](Self::shared).
    pub fn share<T: Clone + Send + Sync + 'static>(&self, value: T) {
        self.0.shared.lock().insert(value);
    }

    /// Returns a clone of the value that the app has stored for the script.
    ///
    /// # Panics
    /// If the app has stored no value of this type.
    #[must_use]
    #[track_caller]
    pub fn shared<T: Clone + Send + Sync + 'static>(&self) -> T {
        let shared = self.0.shared.lock().get().cloned();
        shared.unwrap_or_else(|| {
            let name = std::any::type_name::<T>();
            panic!(
                "expected a {name} that the app has shared, got none: call `World::share` when it is built"
            )
        })
    }

    /// Returns the address that clients other than the simulator's connect to, over the same network as these. `None`
    /// unless the run is a [`Sim::soak`](super::Sim::soak).
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.0.addr.get().copied()
    }

    /// Waits in some calls for up to this time, if the run has slow handlers. Handlers and callbacks call it.
    pub async fn pause(&self, up_to: Duration) {
        if self.0.faults.contains(&Fault::SlowHandlers) {
            self.0.chance.pause(up_to).await;
        }
    }

    /// Returns a hub for [`Builder::hub`](crate::Builder::hub). The simulation learns from it which events each client
    /// must receive, and in which order. Without it, events are not checked.
    #[must_use]
    pub fn hub(&self) -> Arc<dyn Hub> {
        self.hub_around(Arc::new(LocalHub::new()))
    }

    /// Returns a hub like [`hub`](Self::hub) around another hub, such as one with other limits.
    #[must_use]
    pub fn hub_around(&self, inner: Arc<dyn Hub>) -> Arc<dyn Hub> {
        let hub: Arc<dyn Hub> = Arc::new(ObservedHub::new(inner, self.0.model.clone()));
        *self.0.hub.lock() = Some(hub.clone());
        hub
    }

    /// Makes the run fail.
    pub(super) fn fail(&self, client: Option<usize>, failure: Failure) {
        let mut first = self.0.failure.lock();
        let at = self.0.began.elapsed();
        let by = client.map_or(String::new(), |client| format!("client {client}: "));
        let message = format!("after {at:?}: {by}{}", failure.message);
        first.get_or_insert(Failure { message, ..failure });
        self.0.failed.notify_one();
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.0.failure.lock().clone()
    }

    /// Waits until the run has failed.
    pub(super) async fn failed(&self) {
        self.0.failed.notified().await;
    }

    /// Sets the app that the clients connect to.
    pub(super) fn set_app(&self, app: TestApp) {
        // Called once per run.
        let _ = self.0.app.set(app);
    }

    /// Sets the address of a proxy, which clients connect to.
    pub(super) fn set_addr(&self, addr: SocketAddr) {
        // Called once per run.
        let _ = self.0.addr.set(addr);
        self.set_app(TestApp::at(addr));
    }

    /// Returns the app. Clients connect only after it was set.
    pub(super) fn app(&self) -> &TestApp {
        match self.0.app.get() {
            Some(app) => app,
            None => panic!("expected the app to be set before a client connects"),
        }
    }

    pub(super) fn model(&self) -> &Mutex<Model> {
        &self.0.model
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) fn url(&self) -> Url {
        self.0.settings.url.clone()
    }

    pub(super) fn headers(&self, client: usize) -> Result<Headers, Failure> {
        let encoded = (self.0.settings.headers)(client);
        let headers =
            encoded.map_err(|error| Failure::other(format!("the headers can't be encoded: {error}")))?;
        Headers::of(&headers).map_err(|error| Failure::other(error.to_string()))
    }

    pub(super) fn answer_within(&self) -> Duration {
        self.0.settings.answer_within
    }

    pub(super) fn allows_overtaking(&self) -> bool {
        self.0.settings.allows_overtaking
    }

    pub(super) fn may_lose_sessions(&self) -> bool {
        self.0.settings.may_lose_sessions
    }

    pub(super) fn chance_of_client(&self, client: usize) -> Chance {
        Chance::new(self.0.seed, 100 + client as u64)
    }

    pub(super) fn chance_of_driver(&self, client: usize) -> Chance {
        Chance::new(self.0.seed, 1_000_000 + client as u64)
    }

    pub(super) fn link_faults(&self, client: usize, connection: usize) -> LinkFaults {
        LinkFaults {
            has_network: self.0.settings.has_network,
            ..link_faults(&self.0.faults, client, connection)
        }
    }

    /// Returns the time that passes before this connection.
    pub(super) fn away(&self, client: usize, connection: usize) -> Duration {
        let away = self.0.faults.iter().find_map(|fault| match fault {
            Fault::Away {
                client: of,
                connection: which,
                time,
            } if (*of, *which) == (client, connection) => Some(*time),
            _ => None,
        });
        away.unwrap_or_default()
    }

    /// Returns the number of frames after which this connection is left open and replaced, and for how long.
    pub(super) fn abandoned(&self, client: usize, connection: usize) -> Option<(u64, Duration)> {
        self.0.faults.iter().find_map(|fault| match fault {
            Fault::Abandoned {
                client: of,
                connection: which,
                after_frames,
                open_for,
            } if (*of, *which) == (client, connection) => Some((*after_frames, *open_for)),
            _ => None,
        })
    }

    /// Returns the time of the app's shutdown, its grace period, and true if the app restarts.
    pub(super) fn shutdown(&self) -> Option<(Duration, Duration, bool)> {
        self.0.faults.iter().find_map(|fault| match fault {
            Fault::Shutdown {
                after,
                grace,
                restarts,
            } => Some((*after, *grace, *restarts)),
            _ => None,
        })
    }

    pub(super) fn begin_shutdown(&self) {
        self.0.is_shutting_down.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.0.is_shutting_down.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, count: impl FnOnce(&mut Totals)) {
        count(&mut self.0.totals.lock());
    }

    pub(super) fn totals(&self) -> Totals {
        self.0.totals.lock().clone()
    }

    /// Counts a frame, and adds it to the fingerprint of the run.
    pub(super) fn trace(&self, client: usize, direction: u64, bytes: usize) {
        let at = self.0.began.elapsed().as_millis() as u64;
        let mut totals = self.0.totals.lock();
        totals.frames += 1;
        for part in [at, client as u64, direction, bytes as u64] {
            totals.fingerprint = (totals.fingerprint ^ part).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// Checks that no client is left in the hub, and none in a room.
    pub(super) async fn check_hub(&self) -> Result<(), Failure> {
        let Some(hub) = self.0.hub.lock().clone() else {
            return Ok(());
        };
        let clients = hub.clients(&Target::everyone()).await.value.len();
        let connected = self.0.model.lock().connected();
        if clients + connected > 0 {
            return Err(Failure::other(format!(
                "{clients} clients are left in the hub, and {connected} have not left it, after every connection has \
                 ended"
            )));
        }
        let rooms = self.0.model.lock().rooms();
        for room in rooms {
            let size = hub.size(&room).await.value;
            if size > 0 {
                let message = format!("room `{room}` has {size} members after every connection has ended");
                return Err(Failure::other(message));
            }
        }
        Ok(())
    }

    /// Waits until a condition holds. Returns false if it does not within this time.
    pub(super) async fn wait(within: Duration, condition: impl Fn() -> bool) -> bool {
        let end = Instant::now() + within;
        let mut step = Duration::from_millis(1);
        while !condition() {
            if Instant::now() >= end {
                return false;
            }
            sleep(step).await;
            step = (step * 2).min(Duration::from_secs(1));
        }
        true
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.0.seed)
            .finish_non_exhaustive()
    }
}
