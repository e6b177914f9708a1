//! Shutdown, and the number of connections.

use std::time::Duration;

use serde_json::Value;

use super::{
    World, all_gone, app,
    common::{self, Client, until},
    request_upgrade, shut, start,
};

#[tokio::test]
async fn shutdown_closes_everyone_with_1001_and_waits_for_on_disconnect() {
    let world = World {
        disconnect: shut(),
        ..World::new()
    };
    let (zo, server) = start(app(&world)).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(server.connect("").await);
    }
    until(|| zo.connections() == 3).await;
    let shutdown = tokio::spawn({
        let zo = zo.clone();
        async move { zo.shutdown(common::PATIENCE).await }
    });
    for client in &mut clients {
        assert_eq!(client.closed().await, (1001, "going-away".to_owned()));
    }
    drop(clients);
    // New clients are refused.
    let (status, body) = server.try_connect("", &[]).await.err().unwrap();
    assert_eq!(status, 503);
    assert!(
        body["error"].as_str().unwrap().contains("shutting down"),
        "{body}"
    );
    // `on_disconnect` is still waiting, and shutdown waits for it.
    assert_eq!((zo.connections(), shutdown.is_finished()), (3, false));
    world.disconnect.add_permits(3);
    assert_eq!(shutdown.await.unwrap(), 0);
    all_gone(&zo, &world, 3).await;
    assert_eq!(world.count("on_connect"), 3);
}

#[tokio::test]
async fn shutdown_returns_the_number_of_connections_left_after_the_timeout() {
    let world = World::new();
    let (zo, server) = start(app(&world)).await;
    let (mut idle, mut busy) = (server.connect("").await, server.connect("").await);
    busy.begin("work", Value::Null).await;
    world.noted("work begins").await;
    assert_eq!(zo.shutdown(Duration::ZERO).await, 2);
    assert_eq!(idle.closed().await.0, 1001);
    assert_eq!(busy.closed().await.0, 1001);
    // The handler is dropped, though its client stays. Shutdown may be called again.
    assert_eq!(zo.shutdown(common::PATIENCE).await, 0);
    assert_eq!(world.count("work ends"), 0);
    all_gone(&zo, &world, 2).await;
    drop((idle, busy));
}

#[tokio::test]
async fn shutdown_of_an_app_without_connections_returns_at_once() {
    let zo = app(&World::new()).build();
    assert_eq!(zo.shutdown(Duration::ZERO).await, 0);
}

#[tokio::test]
async fn an_on_connect_that_outlasts_the_grace_period_is_dropped_and_ends_as_503() {
    let world = World {
        connect: shut(),
        ..World::new()
    };
    let (zo, server) = start(app(&world)).await;
    let mut stream = request_upgrade(&server, b"").await;
    world.noted("on_connect").await;
    assert_eq!(zo.shutdown(Duration::from_millis(50)).await, 1);
    world.noted("on_connect ended").await;
    let answer = stream.read_http().await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    assert_eq!(world.count("on_connect succeeds"), 0);
    all_gone(&zo, &world, 0).await;
    assert_eq!(zo.shutdown(Duration::ZERO).await, 0);
}

#[tokio::test]
async fn connections_are_counted_from_on_connect_to_the_end_of_on_disconnect() {
    let world = World {
        connect: shut(),
        disconnect: shut(),
        ..World::new()
    };
    let (zo, server) = start(app(&world)).await;
    assert_eq!(zo.connections(), 0);
    let (client, ()) = tokio::join!(server.connect("how=wait"), async {
        world.noted("on_connect").await;
        assert_eq!(zo.connections(), 0, "on_connect has not ended");
        world.connect.add_permits(1);
    });
    assert_eq!(zo.connections(), 1);
    let other: Client = server.connect("").await;
    assert_eq!(zo.connections(), 2);
    client.close().await;
    other.close().await;
    assert_eq!(zo.connections(), 2, "on_disconnect has not ended");
    world.disconnect.add_permits(1);
    until(|| zo.connections() == 1).await;
    world.disconnect.add_permits(1);
    all_gone(&zo, &world, 2).await;
}
