//! The app's routes, as app.md describes them.

use std::{future::pending, sync::atomic::Ordering, time::Duration};

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::{select, task::yield_now};
use tower::{
    ServiceBuilder, layer::layer_fn, limit::GlobalConcurrencyLimitLayer, load_shed::LoadShedLayer,
    timeout::TimeoutLayer,
};
use zocket::{
    ClientId, Error, Route, Router, Zocket,
    layers::{Quota, QuotaLayer},
};

use crate::{
    app::{Cx, Left, ROOM_FULL, Said, User, World, refusal},
    data, issues,
};

#[derive(Deserialize, JsonSchema, Validate)]
struct Any(#[garde(skip)] Value);

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Refuse {
    code: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Room {
    room: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct ToRooms {
    rooms: Vec<String>,
    text: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct ToClients {
    names: Vec<String>,
    text: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Much {
    bytes: usize,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Flood {
    name: String,
    bytes: usize,
    times: usize,
}

/// Returns a router with all routes.
pub fn router(zo: &Zocket<User>, world: &World) -> Router<User> {
    let plain = zo
        .router()
        .outgoing::<Said>()
        .outgoing::<Left>()
        .incoming(
            "echo",
            zo.message()
                .input::<Any>()
                .handle(async |_: Cx, Any(value)| Ok(value)),
        )
        .incoming("nothing", zo.message().handle(async |_: Cx| Ok(())))
        .incoming("null", zo.message().handle(async |_: Cx| Ok(Value::Null)))
        .incoming(
            "headers",
            zo.message().handle(async |cx: Cx| Ok(cx.headers.clone())),
        )
        .incoming("counted", zo.message().handle(counted))
        .incoming("count", zo.message().handle(count));
    rooms(zo, failures(zo, limits(zo, gates(zo, plain)), world))
        .nest("data", data::router(zo))
        .incoming(
            "issues.values",
            zo.message().input::<issues::Values>().handle(taken),
        )
        .incoming(
            "issues.members",
            zo.message().input::<issues::Members>().handle(taken),
        )
}

async fn taken<T>(_: Cx, _: T) -> Result<(), Error> {
    Ok(())
}

async fn counted(cx: Cx) -> Result<(), Error> {
    cx.world.0.runs.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

async fn count(cx: Cx) -> Result<u64, Error> {
    Ok(cx.world.0.runs.load(Ordering::SeqCst))
}

fn gates(zo: &Zocket<User>, router: Router<User>) -> Router<User> {
    let one = ServiceBuilder::new()
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .into_inner();
    router
        .incoming("gate.wait", zo.message().handle(wait))
        .incoming("gate.aside", zo.message().concurrent().handle(wait))
        .incoming("gate.one", zo.message().layer(one).handle(wait))
        .incoming(
            "gate.open",
            zo.message().handle(async |cx: Cx| {
                cx.world.0.gate.add_permits(1);
                Ok(())
            }),
        )
}

/// Signals its start, and waits until the gate opens or the client disconnects.
async fn wait(cx: Cx) -> Result<&'static str, Error> {
    cx.world.0.runs.fetch_add(1, Ordering::SeqCst);
    cx.send(Said("waiting".to_owned())).to([cx.client_id()]);
    let closed = cx.closed();
    select! {
        permit = cx.world.0.gate.acquire() => permit.map_err(Error::internal)?.forget(),
        () = closed => {}
    }
    Ok("waited")
}

fn limits(zo: &Zocket<User>, router: Router<User>) -> Router<User> {
    let hourly = QuotaLayer::per_client(Quota::new(1, Duration::from_secs(3_600)));
    router
        .incoming(
            "limits.payload",
            zo.message().max_payload(16).handle(async |_: Cx| Ok(())),
        )
        .incoming(
            "limits.answer",
            zo.message()
                .input::<Much>()
                .handle(async |_: Cx, much: Much| Ok("x".repeat(much.bytes))),
        )
        .incoming(
            "limits.event",
            zo.message().input::<Much>().handle(async |cx: Cx, much: Much| {
                cx.send(Said("x".repeat(much.bytes))).broadcast();
                Ok(())
            }),
        )
        .incoming("limits.room", zo.message().input::<Room>().handle(fill))
        .incoming(
            "limits.rate",
            zo.message().layer(hourly).handle(async |_: Cx| Ok(())),
        )
        .incoming("limits.flood", zo.message().input::<Flood>().handle(flood))
}

/// Sends more to a room than its backlog may hold.
async fn fill(cx: Cx, Room { room }: Room) -> Result<(), Error> {
    for _ in 0..100 {
        cx.send(Said("x".repeat(1_000))).to_room(room.as_str());
    }
    Ok(())
}

async fn flood(cx: Cx, Flood { name, bytes, times }: Flood) -> Result<(), Error> {
    for _ in 0..times {
        cx.send(Said("x".repeat(bytes))).to(named(&cx, &name));
    }
    Ok(())
}

fn named(cx: &Cx, name: &str) -> Option<ClientId> {
    cx.world.0.names.lock().unwrap().get(name).copied()
}

fn rooms(zo: &Zocket<User>, router: Router<User>) -> Router<User> {
    router
        .incoming(
            "rooms.join",
            zo.message()
                .input::<Room>()
                .handle(async |cx: Cx, Room { room }: Room| cx.rooms().join(room)),
        )
        .incoming(
            "rooms.leave",
            zo.message()
                .input::<Room>()
                .handle(async |cx: Cx, Room { room }: Room| {
                    cx.rooms().leave(room);
                    Ok(())
                }),
        )
        .incoming(
            "rooms.send",
            zo.message()
                .input::<ToRooms>()
                .handle(async |cx: Cx, to: ToRooms| {
                    cx.send(Said(to.text)).to_rooms(to.rooms);
                    Ok(())
                }),
        )
        .incoming(
            "rooms.farewell",
            zo.message()
                .input::<ToRooms>()
                .handle(async |cx: Cx, to: ToRooms| {
                    cx.send(Said(to.text)).to_rooms(to.rooms.clone());
                    for room in to.rooms {
                        cx.rooms().leave(room);
                    }
                    Ok(())
                }),
        )
        .incoming(
            "rooms.size",
            zo.message()
                .input::<Room>()
                .handle(async |cx: Cx, Room { room }: Room| Ok(cx.rooms().size(&room).await)),
        )
        .incoming(
            "tell",
            zo.message()
                .input::<ToClients>()
                .handle(async |cx: Cx, to: ToClients| {
                    let clients: Vec<_> = to.names.iter().filter_map(|name| named(&cx, name)).collect();
                    cx.send(Said(to.text)).to(clients);
                    Ok(())
                }),
        )
}

fn failures(zo: &Zocket<User>, router: Router<User>, world: &World) -> Router<User> {
    let refusing = async |_: Cx, refuse: Refuse| Err::<(), _>(refusal(&refuse.code));
    let soon = TimeoutLayer::new(Duration::from_millis(20));
    let closed = {
        let world = world.clone();
        layer_fn(move |route: Route| {
            let buffer = world.buffered(route);
            if let Some(worker) = world.0.pipeline.lock().unwrap().take() {
                worker.abort();
            }
            buffer
        })
    };
    let stopped = zo
        .router()
        .incoming("stopped", zo.message().handle(async |_: Cx| Ok(())))
        .layer(closed);
    router
        .incoming(
            "fail",
            zo.message()
                .declare_code(ROOM_FULL)
                .input::<Refuse>()
                .handle(refusing),
        )
        .incoming(
            "guarded",
            zo.message()
                .input::<Refuse>()
                .with_input(async |_: Cx, refuse: Refuse| Err::<(User, Refuse), _>(refusal(&refuse.code)))
                .handle(async |_: Cx| Ok(())),
        )
        .incoming(
            "panic",
            zo.message()
                .handle(async |_: Cx| -> Result<(), Error> { panic!("as asked for") }),
        )
        .incoming(
            "slow",
            zo.message()
                .layer(soon)
                .handle(async |_: Cx| pending::<Result<(), Error>>().await),
        )
        .nest("buffered", stopped)
        .incoming("stop", zo.message().handle(stop))
}

/// Ends the app's pipeline.
async fn stop(cx: Cx) -> Result<(), Error> {
    let worker = cx.world.0.pipeline.lock().unwrap().take();
    if let Some(worker) = worker {
        worker.abort();
        while !worker.is_finished() {
            yield_now().await;
        }
    }
    Ok(())
}
