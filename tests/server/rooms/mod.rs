//! Rooms and sending, as the clients see them.

use crate::common;

mod atomic;
mod large_rooms;
mod membership;
mod outside_handlers;
mod sending;

use std::{sync::Arc, time::Duration};

use common::{Client, Server, serve};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use tower::{layer::util::Identity, timeout::TimeoutLayer};
use zocket::{Builder, ClientId, Context, Error, Limits, NoHeaders, Outgoing, Router, Zocket};

#[derive(Clone, Serialize, JsonSchema)]
struct Said(String);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// One step of a handler.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Step {
    Join(String),
    Leave(String),
    /// Sends to one client.
    Direct(ClientId, String),
    /// Sends to several clients.
    Clients(Vec<ClientId>, String),
    Room(String, String),
    Rooms(Vec<String>, String),
    Broadcast(String),
    /// Broadcasts a text of this many bytes.
    Large(usize),
    /// Sends to a room by the emitter, without a sender.
    Emit(String, String),
    /// Waits for a permit.
    Wait,
    Fail,
    Panic,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Steps(#[garde(skip)] Vec<Step>);

/// The client's rooms after its steps, with `has` for each of them.
#[derive(Serialize, JsonSchema)]
struct After {
    rooms: Vec<String>,
    has: bool,
}

struct User {
    gate: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

async fn run(cx: Context<User>, steps: Steps) -> Result<After, Error> {
    for step in steps.0 {
        match step {
            Step::Join(room) => {
                cx.rooms().join(room.as_str())?;
                assert!(cx.rooms().has(&room));
            }
            Step::Leave(room) => {
                cx.rooms().leave(room.as_str());
                assert!(!cx.rooms().has(&room));
            }
            Step::Direct(id, text) => cx.send(Said(text)).to([id]),
            Step::Clients(ids, text) => cx.send(Said(text)).to(ids),
            Step::Room(room, text) => cx.send(Said(text)).to_room(room),
            Step::Rooms(rooms, text) => cx.send(Said(text)).to_rooms(rooms),
            Step::Broadcast(text) => cx.send(Said(text)).broadcast(),
            Step::Large(bytes) => cx.send(Said("x".repeat(bytes))).broadcast(),
            Step::Emit(room, text) => cx.emitter().send(Said(text)).to_room(room)?,
            Step::Wait => {
                cx.waiting.add_permits(1);
                cx.gate.acquire().await.map_err(Error::internal)?.forget();
            }
            Step::Fail => return Err(Error::conflict("as asked")),
            Step::Panic => panic!("as asked"),
        }
    }
    let mut rooms: Vec<_> = cx.rooms().current().iter().map(ToString::to_string).collect();
    rooms.sort();
    let has = rooms.iter().all(|room| cx.rooms().has(room));
    Ok(After { rooms, has })
}

struct World {
    zo: Zocket<User>,
    server: Server,
    gate: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

fn router(zo: &Zocket<User>) -> Router<User> {
    let steps = zo.message().input::<Steps>();
    let quickly = TimeoutLayer::new(Duration::from_millis(50));
    let id = zo.message().handle(async |cx: Context<User>| Ok(cx.client_id()));
    let module = zo
        .router()
        .incoming("quickly", steps.clone().atomic().handle(run))
        .layer(quickly.clone());
    zo.router()
        .outgoing::<Said>()
        .nest("module", module)
        .incoming("id", id)
        .incoming("run.now", steps.clone().handle(run))
        .incoming("run.atomic", steps.clone().atomic().handle(run))
        .incoming("run.quickly", steps.atomic().layer(quickly).handle(run))
}

async fn start_with(configure: impl FnOnce(Builder<User, Identity>) -> Builder<User, Identity>) -> World {
    let (gate, waiting) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let builder = Zocket::builder().on_connect_with(
        (gate.clone(), waiting.clone()),
        async |(gate, waiting): (Arc<Semaphore>, Arc<Semaphore>), _: NoHeaders, _: ClientId| {
            Ok(User { gate, waiting })
        },
    );
    let zo = configure(builder).build();
    let server = serve(zo.serve(router(&zo))).await;
    World {
        zo,
        server,
        gate,
        waiting,
    }
}

async fn start_limited(limits: Limits) -> World {
    start_with(|builder| builder.limits(limits)).await
}

async fn start() -> World {
    start_with(|builder| builder).await
}

impl World {
    /// Connects a client. Returns it with its id.
    async fn client(&self) -> (Client, ClientId) {
        let mut client = self.server.connect("").await;
        let id = client
            .call("id", Value::Null)
            .await
            .expect("an answer")
            .expect("an id");
        (client, serde_json::from_value(id).expect("an id"))
    }

    /// Connects several clients.
    async fn clients<const N: usize>(&self) -> [(Client, ClientId); N] {
        let mut clients = Vec::new();
        for _ in 0..N {
            clients.push(self.client().await);
        }
        clients
            .try_into()
            .unwrap_or_else(|_| unreachable!("there are {N}"))
    }
}

/// Has a client run steps. Returns its rooms after them.
async fn does(client: &mut Client, steps: Value) -> Vec<String> {
    let after = client
        .call("run.now", steps)
        .await
        .expect("the steps succeed")
        .expect("an answer");
    assert_eq!(after["has"], true);
    serde_json::from_value(after["rooms"].clone()).expect("rooms")
}

/// Reads the next `count` texts.
async fn hears(client: &mut Client, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        let text = client.event("said").await;
        texts.push(text.as_str().expect("a text").to_owned());
    }
    texts
}
