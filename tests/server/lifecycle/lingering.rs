//! Callbacks and handlers that never end do not keep a client that has gone.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{future::pending, time::Duration};

use serde_json::Value;
use tokio::time::Instant;
use zocket::{Context, Error, Limits, Zocket};

use super::{
    World, app,
    common::{connect_in_memory, until},
    router,
};

/// A drop that is logged.
struct Held(Context<World>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.note("dropped");
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a handler panics when it is dropped");
    }
}

/// Connects a client, lets it send these messages and leave, and returns the time until it has left its room.
async fn leaves(
    zo: &Zocket<World>,
    world: &World,
    router: zocket::Router<World>,
    routes: &[&str],
) -> Duration {
    let mut client = connect_in_memory(&zo.serve(router), "").await.unwrap();
    for route in routes {
        client.begin(route, Value::Null).await;
        world.noted(route).await;
    }
    let emitter = zo.emitter();
    while emitter.size("lobby").await == 0 {
        tokio::task::yield_now().await;
    }
    drop(client);
    let gone = Instant::now();
    until(|| zo.connections() == 0).await;
    assert_eq!(emitter.size("lobby").await, 0);
    gone.elapsed()
}

fn linger() -> Limits {
    Limits::default().linger(Duration::from_secs(5))
}

/// Asserts that a time is the limit, or these many times the limit.
fn assert_lingered(elapsed: Duration, times: u32) {
    let limit = Duration::from_secs(5) * times;
    assert!(
        elapsed >= limit && elapsed < limit + Duration::from_millis(100),
        "{elapsed:?}"
    );
}

async fn enter(cx: Context<World>) -> Result<(), Error> {
    cx.rooms().join("lobby")
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_returns_is_dropped_and_the_client_leaves() {
    async fn stuck(cx: Context<World>) -> Result<(), Error> {
        let held = Held(cx);
        held.0.note("stuck");
        pending().await
    }
    let world = World::new();
    let zo = app(&world).on_open(enter).limits(linger()).build();
    let router = zo.router().incoming("stuck", zo.message().handle(stuck));
    assert_lingered(leaves(&zo, &world, router, &["stuck"]).await, 1);
    let log = world.log();
    assert_eq!(log[log.len() - 2..], ["dropped", "on_disconnect in [lobby]"]);
}

#[tokio::test(start_paused = true)]
async fn all_handlers_are_dropped_though_the_drop_of_one_panics() {
    async fn stuck(cx: Context<World>) -> Result<(), Error> {
        let held = Held(cx);
        held.0.note("stuck");
        pending().await
    }
    async fn explosive(cx: Context<World>) -> Result<(), Error> {
        let _bomb = Bomb;
        cx.note("explosive");
        pending().await
    }
    let world = World::new();
    let zo = app(&world).on_open(enter).limits(linger()).build();
    let router = zo
        .router()
        .incoming("stuck", zo.message().concurrent().handle(stuck))
        .incoming("explosive", zo.message().concurrent().handle(explosive));
    let routes = ["stuck", "explosive", "stuck", "explosive", "stuck"];
    assert_lingered(leaves(&zo, &world, router, &routes).await, 1);
    assert_eq!(world.count("dropped"), 3);
    assert_eq!(world.count("on_disconnect in [lobby]"), 1);
}

#[tokio::test(start_paused = true)]
async fn messages_that_wait_behind_a_stuck_handler_do_not_run() {
    async fn stuck(cx: Context<World>) -> Result<(), Error> {
        cx.note("stuck");
        pending().await
    }
    let world = World::new();
    let zo = app(&world).on_open(enter).limits(linger()).build();
    let routes = router(&zo).incoming("stuck", zo.message().handle(stuck));
    let mut client = connect_in_memory(&zo.serve(routes), "").await.unwrap();
    client.begin("stuck", Value::Null).await;
    client.begin("quick", Value::Null).await;
    world.noted("stuck").await;
    drop(client);
    until(|| zo.connections() == 0).await;
    assert_eq!(world.count("quick"), 0);
    assert_eq!(world.count("on_disconnect in [lobby]"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_on_open_that_never_returns_is_dropped() {
    let world = World::new();
    let zo = app(&world)
        .on_open(async |cx: Context<World>| {
            cx.rooms().join("lobby")?;
            let _held = Held(cx);
            pending().await
        })
        .limits(linger())
        .build();
    let router = router(&zo);
    assert_lingered(leaves(&zo, &world, router, &[]).await, 1);
    let log = world.log();
    assert_eq!(log[log.len() - 2..], ["dropped", "on_disconnect in [lobby]"]);
}

#[tokio::test(start_paused = true)]
async fn an_on_disconnect_that_never_returns_is_dropped() {
    let world = World::new();
    let zo = app(&world)
        .on_open(enter)
        .on_disconnect(async |cx: Context<World>| {
            let _held = Held(cx);
            pending().await
        })
        .limits(linger())
        .build();
    let router = router(&zo);
    assert_lingered(leaves(&zo, &world, router, &[]).await, 1);
    assert_eq!(world.count("dropped"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_handler_and_a_stuck_on_disconnect_have_the_limit_each() {
    async fn stuck(cx: Context<World>) -> Result<(), Error> {
        cx.note("stuck");
        pending().await
    }
    let world = World::new();
    let zo = app(&world)
        .on_open(enter)
        .on_disconnect(async |_: Context<World>| {
            let _bomb = Bomb;
            pending().await
        })
        .limits(linger())
        .build();
    let router = zo.router().incoming("stuck", zo.message().handle(stuck));
    assert_lingered(leaves(&zo, &world, router, &["stuck"]).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_ends_within_the_limit_completes() {
    let world = World::new();
    let zo = app(&world).on_open(enter).limits(linger()).build();
    let mut client = connect_in_memory(&zo.serve(router(&zo)), "").await.unwrap();
    client.begin("work", Value::Null).await;
    world.noted("work begins").await;
    drop(client);
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.handler.add_permits(1);
    until(|| zo.connections() == 0).await;
    let log = world.log();
    assert_eq!(log[log.len() - 2..], ["work ends", "on_disconnect in [lobby]"]);
}
