//! A connection's life: `on_open`, `on_disconnect`, shutdown.

use crate::common;

mod abandoned;
mod app_limits;
mod drain;
mod lingering;
mod messages;
mod on_disconnect;
mod on_disconnect_once;
mod on_open;
mod opening;
mod reasons;
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

/// A log of the app's functions, in order, and the gates that they wait for.
#[derive(Clone)]
struct World {
    log: Arc<Mutex<Vec<String>>>,
    connect: Arc<Semaphore>,
    handler: Arc<Semaphore>,
    disconnect: Arc<Semaphore>,
}

impl World {
    /// Returns a world whose gates are open, except the handlers' gate.
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

/// Returns a closed gate.
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
    /// `refuse` is refused, `wait` waits for the gate of `on_connect`.
    #[serde(default)]
    #[garde(skip)]
    how: String,
}

/// Logs its drop.
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

/// Logs the client's rooms.
async fn leave(cx: Context<World>) {
    let mut rooms = cx.rooms().current();
    rooms.sort();
    World::pass(&cx.disconnect).await;
    cx.note(format!("on_disconnect in [{}]", rooms.join(" ")));
}

/// Returns an app whose functions write to the log.
fn app(world: &World) -> Builder<World, Identity> {
    Zocket::builder()
        .on_connect_with(world.clone(), connect)
        .on_disconnect(leave)
}

/// Returns a router with `work`, which waits for its gate, and `quick`, which does not. Both write to the log.
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

/// Serves an app, and connects its only client.
async fn visit(app: Builder<World, Identity>) -> (Zocket<World>, Client) {
    let (zo, server) = start(app).await;
    let client = server.connect("").await;
    (zo, client)
}

/// Waits until all connections have ended, and checks the number of `on_disconnect` runs.
async fn all_gone(zo: &Zocket<World>, world: &World, departures: usize) {
    until(|| zo.connections() == 0).await;
    assert_eq!(
        world.count("on_disconnect in []"),
        departures,
        "{:?}",
        world.log()
    );
}

/// Sends an upgrade request together with these bytes, without waiting for the 101.
async fn request_upgrade(server: &Server, then: &[u8]) -> Raw {
    let mut raw = server.dial().await;
    raw.write(&[handshake("how: wait\r\n").as_bytes(), then].concat())
        .await;
    raw
}
