//! The app of these tests.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use garde::Validate;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use zocket::{ClientId, Context, Error, Limits, Outgoing, Reason, UpgradeService, Zocket};

use crate::common::until;

#[derive(Serialize, JsonSchema)]
pub(super) struct Tick(pub(super) u64);

impl Outgoing for Tick {
    const TYPE: &'static str = "tick";
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Text(pub(super) String);

impl Outgoing for Text {
    const TYPE: &'static str = "text";
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Number(#[garde(skip)] u64);

#[derive(Clone, Deserialize, JsonSchema, Validate)]
pub(super) struct Headers {
    #[serde(default)]
    #[garde(skip)]
    pub(super) name: String,
}

/// State of the app that tests look at.
#[derive(Clone, Default)]
pub(super) struct World(Arc<State>);

#[derive(Default)]
struct State {
    connected: AtomicUsize,
    departed: Mutex<Vec<(String, Reason)>>,
    /// Calls of `add` that have run, in order.
    added: Mutex<Vec<u64>>,
    /// Permits of `gate`, and of `on_open` for the name `waits`.
    gate: Option<Semaphore>,
}

pub(super) struct User {
    pub(super) name: String,
    world: World,
}

impl World {
    pub(super) fn new() -> Self {
        Self(Arc::new(State {
            gate: Some(Semaphore::new(0)),
            ..State::default()
        }))
    }

    /// Returns the number of calls of `on_connect`.
    pub(super) fn connected(&self) -> usize {
        self.0.connected.load(Ordering::SeqCst)
    }

    /// Returns the names and reasons of the calls of `on_disconnect`.
    pub(super) fn departed(&self) -> Vec<(String, Reason)> {
        self.0.departed.lock().clone()
    }

    pub(super) fn added(&self) -> Vec<u64> {
        self.0.added.lock().clone()
    }

    pub(super) fn open_gate(&self) {
        self.gate().add_permits(1);
    }

    fn gate(&self) -> &Semaphore {
        self.0.gate.as_ref().unwrap()
    }

    /// Waits until this many sessions have ended.
    pub(super) async fn until_departed(&self, count: usize) {
        until(|| self.departed().len() >= count).await;
        assert_eq!(self.departed().len(), count, "{:?}", self.departed());
    }

    /// Returns an app in this world.
    pub(super) fn builder(&self, limits: Limits) -> zocket::Builder<User, tower::layer::util::Identity> {
        let world = self.clone();
        Zocket::builder()
            .limits(limits)
            .on_connect_with(world, async |world: Self, headers: Headers, _: ClientId| {
                world.0.connected.fetch_add(1, Ordering::SeqCst);
                let name = headers.name;
                Ok(User { name, world })
            })
            .on_open(async |cx: Context<User>| {
                if cx.name == "waits" {
                    cx.world.gate().acquire().await.unwrap().forget();
                }
                cx.rooms().join("lobby")
            })
            .on_disconnect(async |cx: Context<User>, reason: Reason| {
                let name = cx.name.clone();
                cx.world.0.departed.lock().push((name, reason));
            })
    }

    /// Returns an app in this world and its service, with these limits.
    pub(super) fn start(&self, limits: Limits) -> (Zocket<User>, UpgradeService) {
        let zo = self.builder(limits).build();
        let service = serve(&zo);
        (zo, service)
    }
}

/// Returns the service of an app.
pub(super) fn serve(zo: &Zocket<User>) -> UpgradeService {
    let add = zo
        .message()
        .input::<Number>()
        .handle(async |cx: Context<User>, Number(n): Number| {
            cx.world.0.added.lock().push(n);
            Ok::<_, Error>(n)
        });
    let text = zo
        .message()
        .input::<Number>()
        .handle(async |_: Context<User>, Number(bytes): Number| Ok::<_, Error>("x".repeat(bytes as usize)));
    let gate = zo.message().handle(async |cx: Context<User>| {
        cx.send(Tick(0)).to_room("lobby");
        cx.world.gate().acquire().await.unwrap().forget();
        cx.send(Tick(1)).to_room("lobby");
        Ok::<_, Error>(cx.name.clone())
    });
    zo.serve(
        zo.router()
            .outgoing::<Tick>()
            .outgoing::<Text>()
            .incoming("add", add)
            .incoming("text", text)
            .incoming("gate", gate),
    )
}

/// Returns a new world, its app, and the app's service.
pub(super) fn start(limits: Limits) -> (World, Zocket<User>, UpgradeService) {
    let world = World::new();
    let (zo, service) = world.start(limits);
    (world, zo, service)
}
