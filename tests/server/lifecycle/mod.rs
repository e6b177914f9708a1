//! A connection's life: `on_open`, `on_disconnect`, shutdown.

use crate::common;

mod messages;
mod on_disconnect;
mod on_disconnect_once;
mod on_open;
mod shutdown;

use std::sync::{Arc, Mutex};

use common::{
    Client, Server,
    raw::{Raw, handshake},
    serve, until,
};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tower::layer::util::Identity;
use zocket::{Builder, ClientId, Context, Error, Outgoing, Router, Zocket};

/// What happened, in order, and gates that it waits for.
#[derive(Clone)]
struct World {
    log: Arc<Mutex<Vec<String>>>,
    connect: Arc<Semaphore>,
    handler: Arc<Semaphore>,
    disconnect: Arc<Semaphore>,
}

impl World {
    /// One whose gates are open, but for the handlers'.
    fn new() -> Self {
        Self {
            log: Arc::default(),
            connect: Arc::new(Semaphore::new(1_000)),
            handler: shut(),
            disconnect: Arc::new(Semaphore::new(1_000)),
        }
    }

    fn note(&self, what: impl Into<String>) {
        self.log.lock().expect("no panic holds it").push(what.into());
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().expect("no panic holds it").clone()
    }

    fn count(&self, what: &str) -> usize {
        self.log().iter().filter(|entry| *entry == what).count()
    }

    async fn pass(gate: &Semaphore) {
        gate.acquire().await.expect("gates are never closed").forget();
    }

    async fn noted(&self, what: &str) {
        until(|| self.count(what) > 0).await;
    }
}

/// A gate that lets nobody pass for now.
fn shut() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}

#[derive(Serialize, JsonSchema)]
struct Hello(String);

impl Outgoing for Hello {
    const TYPE: &'static str = "hello";
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    /// `refuse` is refused, `wait` waits for the gate.
    #[serde(default)]
    #[garde(skip)]
    how: String,
}

/// Notes that it was dropped.
struct Dropped(World);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note("on_connect ended");
    }
}

async fn connect(world: World, headers: Headers, _: ClientId) -> Result<World, Error> {
    world.note("on_connect");
    match headers.how.as_str() {
        "refuse" => Err(Error::forbidden("not today")),
        "wait" => {
            let _dropped = Dropped(world.clone());
            World::pass(&world.connect).await;
            world.note("on_connect succeeds");
            Ok(world)
        }
        _ => Ok(world),
    }
}

/// Notes the rooms that the client is in.
async fn leave(cx: Context<World>) {
    let mut rooms = cx.rooms().current();
    rooms.sort();
    World::pass(&cx.disconnect).await;
    cx.note(format!("on_disconnect in [{}]", rooms.join(" ")));
}

/// An app that notes what happens to it.
fn app(world: &World) -> Builder<World, Identity> {
    Zocket::builder()
        .on_connect_with(world.clone(), connect)
        .on_disconnect(leave)
}

/// `work` waits for its gate, `quick` does not; both are noted.
fn router(zo: &Zocket<World>) -> Router<World> {
    async fn work(cx: Context<World>) -> Result<(), Error> {
        cx.note("work begins");
        World::pass(&cx.handler).await;
        cx.note("work ends");
        Ok(())
    }
    async fn quick(cx: Context<World>) -> Result<(), Error> {
        cx.note("quick");
        Ok(())
    }
    zo.router()
        .outgoing::<Hello>()
        .incoming("work", zo.message().handle(work))
        .incoming("quick", zo.message().handle(quick))
}

async fn start(app: Builder<World, Identity>) -> (Zocket<World>, Server) {
    let zo = app.build();
    let server = serve(zo.serve(router(&zo))).await;
    (zo, server)
}

/// An app, and its one client.
async fn visit(app: Builder<World, Identity>) -> (Zocket<World>, Client) {
    let (zo, server) = start(app).await;
    let client = server.connect("").await;
    (zo, client)
}

/// Waits until no one is left, and looks whether each went once.
async fn all_gone(zo: &Zocket<World>, world: &World, departures: usize) {
    until(|| zo.connections() == 0).await;
    assert_eq!(
        world.count("on_disconnect in []"),
        departures,
        "{:?}",
        world.log()
    );
}

/// An upgrade request of a client that does not wait for its answer, with these bytes after it.
async fn request_upgrade(server: &Server, then: &[u8]) -> Raw {
    let mut raw = server.dial().await;
    raw.write(&[handshake("how: wait\r\n").as_bytes(), then].concat())
        .await;
    raw
}
