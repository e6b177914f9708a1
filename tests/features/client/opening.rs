//! `on_open`: runs after each connection, before the waiting calls.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use zocket::client::{CallError, Client, Status};

use super::{
    calling,
    common::until,
    hasty,
    servers::{Mortal, Port},
    soon, status,
    world::{Posted, Said, World, text},
};

async fn post(client: &Client, said: &str) -> Result<Posted, CallError> {
    client.call_route("post", &text(said)).await
}

#[tokio::test]
async fn on_open_is_awaited_before_waiting_calls_at_each_connection() {
    let world = World::default();
    let port = Port::new();
    let client = hasty(port.url("name=bot"))
        .on_open(async |client, _| {
            // Waiting calls would be sent while the first answer is awaited.
            post(&client, "join").await.unwrap();
            post(&client, "subscribe").await.unwrap();
        })
        .start()
        .unwrap();
    let mut said = client.on::<Said>();
    for call in ["one", "two"] {
        let waiting = calling::<Posted>(&client, "post", text(call));
        let server = Mortal::serve(&world, &port).await;
        assert_eq!(soon(waiting).await.unwrap().unwrap().length, 3);
        for expected in ["join", "subscribe", call] {
            assert_eq!(soon(said.next()).await.unwrap().unwrap().text, expected);
        }
        server.die().await;
        status(&client, |status| !status.is_open()).await;
    }
}

#[tokio::test]
async fn on_open_that_waits_at_the_end_of_its_connection_is_dropped_and_runs_again() {
    let world = World::default();
    let port = Port::new();
    let runs = Arc::new(AtomicU32::new(0));
    let dropped = Arc::new(AtomicU32::new(0));
    let server = Mortal::serve(&world, &port).await;
    let client = {
        let (runs, dropped) = (runs.clone(), dropped.clone());
        hasty(port.url("name=bot"))
            .resume(false)
            .on_open(move |client, _| {
                let run = runs.fetch_add(1, Ordering::SeqCst);
                let guard = Arc::new(CountsDrops(dropped.clone()));
                async move {
                    let _guard = guard;
                    if run == 0 {
                        drop(client.call_route::<()>("wait", &()).await);
                        panic!("an answer came");
                    }
                }
            })
            .start()
            .unwrap()
    };
    world.wait_for_handler().await;
    let waiting = calling::<Posted>(&client, "post", text("held"));
    server.die().await;
    until(|| dropped.load(Ordering::SeqCst) == 1).await;
    // The call was held back, so its caller learns that the server has not seen it, or it is sent at the next connection.
    drop(soon(waiting).await);
    let server = Mortal::serve(&world, &port).await;
    assert_eq!(soon(post(&client, "again")).await.unwrap().length, 5);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    server.die().await;
}

#[tokio::test]
async fn a_client_can_be_closed_while_on_open_runs() {
    let world = World::default();
    let server = world.serve().await;
    let client = hasty(server.url("name=bot"))
        .on_open(async |client, _| {
            let _: Result<(), _> = client.call_route("wait", &()).await;
        })
        .connect()
        .await
        .unwrap();
    world.wait_for_handler().await;
    soon(client.close()).await;
    assert!(client.status().is_closed());
    assert!(matches!(post(&client, "late").await, Err(CallError::Closed)));
}

#[tokio::test]
async fn a_client_with_on_open_closes_when_its_last_handle_is_dropped() {
    let world = World::default();
    let server = world.serve().await;
    let client = hasty(server.url("name=bot"))
        .on_open(async |client, _| drop(post(&client, "join").await))
        .connect()
        .await
        .unwrap();
    post(&client, "opened").await.unwrap();
    let mut statuses = client.statuses();
    drop(client);
    soon(statuses.wait_for(Status::is_closed)).await.unwrap();
}

struct CountsDrops(Arc<AtomicU32>);

impl Drop for CountsDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
