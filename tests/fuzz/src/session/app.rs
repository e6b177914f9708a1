//! The app of this target. It records what has run.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use zocket::{ClientId, Context, Error, Limits, NoHeaders, Outgoing, Zocket, testing::TestApp};

/// An event. Its number is one more than that of the one before.
#[derive(Serialize, JsonSchema)]
pub(super) struct Tick(pub(super) u64);

impl Outgoing for Tick {
    const TYPE: &'static str = "tick";
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Number(#[garde(skip)] u64);

/// The room that every client is in.
pub(super) const ROOM: &str = "lobby";

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) connected: Mutex<Vec<ClientId>>,
    pub(super) departed: Mutex<Vec<ClientId>>,
    /// Calls that have run, in order.
    pub(super) ran: Mutex<Vec<(ClientId, u64)>>,
    /// Number of the last event.
    pub(super) ticks: AtomicU64,
    pub(super) gate: Notify,
}

impl State {
    /// Returns the next event.
    pub(super) fn tick(&self) -> Tick {
        Tick(self.ticks.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

pub(super) type User = Arc<State>;

pub(super) fn app(state: &User, limits: Limits) -> (Zocket<User>, TestApp) {
    let zo = Zocket::builder()
        .limits(limits)
        .on_connect_with(state.clone(), async |state: User, _: NoHeaders, id: ClientId| {
            state.connected.lock().unwrap().push(id);
            Ok(state)
        })
        .on_open(async |cx: Context<User>| cx.rooms().join(ROOM))
        .on_disconnect(|cx: Context<User>| {
            cx.departed.lock().unwrap().push(cx.client_id());
            async {}
        })
        .build();
    let add = zo
        .message()
        .input::<Number>()
        .handle(async |cx: Context<User>, Number(number): Number| {
            cx.ran.lock().unwrap().push((cx.client_id(), number));
            Ok::<_, Error>(number)
        });
    let emit = zo
        .message()
        .input::<Number>()
        .handle(async |cx: Context<User>, Number(count): Number| {
            for _ in 0..count {
                cx.send(cx.tick()).to_room(ROOM);
            }
            Ok::<_, Error>(cx.ticks.load(Ordering::SeqCst))
        });
    let gate = zo.message().handle(async |cx: Context<User>| {
        cx.gate.notified().await;
        Ok::<_, Error>("open")
    });
    let fail = zo
        .message()
        .handle(async |_: Context<User>| Err::<(), _>(Error::conflict("always")));
    let router = zo
        .router()
        .outgoing::<Tick>()
        .incoming("add", add)
        .incoming("emit", emit)
        .incoming("gate", gate)
        .incoming("fail", fail);
    let app = TestApp::new(zo.serve(router));
    (zo, app)
}
