//! Shutdown of a busy app: what has begun is answered, and nothing else begins.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};
use zocket::{Context, Error, Limits, Shutdown, Zocket};

use super::{
    World, all_gone, app,
    common::{Client, PATIENCE, connect_in_memory, raw::Raw, serve, until},
    request_upgrade, router, shut, start,
};

/// Longer than any test takes.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Starts a shutdown, and waits until it has begun.
async fn shut_down(zo: &Zocket<World>, grace: Duration) -> tokio::task::JoinHandle<usize> {
    let shutdown = tokio::spawn({
        let zo = zo.clone();
        async move { zo.shutdown(grace).await }
    });
    tokio::task::yield_now().await;
    shutdown
}

#[tokio::test]
async fn a_call_in_flight_is_answered_before_the_close() {
    let world = World::new();
    let (zo, server) = start(app(&world)).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client: Client = server.connect("").await;
        let id = client.begin("work", Value::Null).await;
        clients.push((client, id));
    }
    until(|| world.count("work begins") == 3).await;
    let shutdown = shut_down(&zo, HOUR).await;
    world.handler.add_permits(3);
    for (client, id) in &mut clients {
        assert_eq!(client.answer(id).await, Ok(None));
        assert_eq!(client.closed().await, (1001, "going-away".to_owned()));
    }
    drop(clients);
    assert_eq!(timeout(PATIENCE, shutdown).await.unwrap().unwrap(), 0);
    all_gone(&zo, &world, 3).await;
}

#[tokio::test]
async fn messages_that_have_not_begun_are_refused_with_overloaded() {
    let world = World::new();
    let (zo, server) = start(app(&world)).await;
    let mut client = server.connect("").await;
    let work = client.begin("work", Value::Null).await;
    let queued = client.begin("quick", Value::Null).await;
    world.noted("work begins").await;
    // The refusal of a message to itself shows that the queue has been read up to it.
    let shutdown = shut_down(&zo, HOUR).await;
    assert_eq!(client.answer(&queued).await.unwrap_err().code(), "OVERLOADED");
    // A message that is sent during the drain is refused too.
    assert_eq!(
        client.call("quick", Value::Null).await.unwrap_err().code(),
        "OVERLOADED"
    );
    world.handler.add_permits(1);
    assert_eq!(client.answer(&work).await, Ok(None));
    assert_eq!(client.closed().await.0, 1001);
    drop(client);
    assert_eq!(timeout(PATIENCE, shutdown).await.unwrap().unwrap(), 0);
    assert_eq!(world.count("quick"), 0);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn concurrent_messages_in_flight_are_all_answered() {
    async fn work(cx: Context<World>) -> Result<(), Error> {
        cx.note("work begins");
        World::pass(&cx.handler).await;
        Ok(())
    }
    let world = World::new();
    let zo = app(&world).build();
    let router = zo
        .router()
        .incoming("work", zo.message().concurrent().handle(work));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(client.begin("work", Value::Null).await);
    }
    until(|| world.count("work begins") == 10).await;
    let shutdown = shut_down(&zo, HOUR).await;
    for id in &ids {
        world.handler.add_permits(1);
        assert_eq!(client.answer(id).await, Ok(None));
    }
    assert_eq!(client.closed().await.0, 1001);
    drop(client);
    assert_eq!(timeout(PATIENCE, shutdown).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn shutdown_waits_for_on_connect_which_ends_as_503() {
    let world = World {
        connect: shut(),
        ..World::new()
    };
    let (zo, server) = start(app(&world)).await;
    let mut waiting: Raw = request_upgrade(&server, b"").await;
    world.noted("on_connect").await;
    let shutdown = shut_down(&zo, HOUR).await;
    // The client in `on_connect` is counted.
    until(|| zo.connections() == 0 && !shutdown.is_finished()).await;
    world.connect.add_permits(1);
    let answer = waiting.read_http().await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(timeout(PATIENCE, shutdown).await.unwrap().unwrap(), 0);
    // It succeeded, so the app is told that the client is gone.
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn new_handshakes_get_503_with_retry_after() {
    let world = World::new();
    let (zo, server) = start(app(&world)).await;
    zo.shutdown(Duration::ZERO).await;
    for _ in 0..2 {
        let mut peer = request_upgrade(&server, b"").await;
        let answer = peer.read_http().await.to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 503 "), "{answer}");
        assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    }
    assert_eq!(world.count("on_connect"), 0);
}

#[tokio::test]
async fn a_restart_closes_with_1012() {
    let world = World::new();
    let (zo, server) = start(app(&world)).await;
    let (mut idle, mut busy) = (server.connect("").await, server.connect("").await);
    let id = busy.begin("work", Value::Null).await;
    world.noted("work begins").await;
    let clients = async {
        assert_eq!(idle.closed().await, (1012, "restarting".to_owned()));
        world.handler.add_permits(1);
        assert_eq!(busy.answer(&id).await, Ok(None));
        assert_eq!(busy.closed().await, (1012, "restarting".to_owned()));
        drop((idle, busy));
    };
    assert_eq!(
        tokio::join!(zo.shutdown(Shutdown::within(PATIENCE).restart()), clients).0,
        0
    );
}

#[tokio::test]
async fn clients_of_the_extended_protocol_are_told_of_messages_without_an_id() {
    let world = World::new();
    let (zo, server) = start(app(&world)).await;
    let fields = [("sec-websocket-protocol", "zocket.v1.json")];
    let mut client = server.try_connect("", &fields).await.unwrap();
    assert_eq!(client.next().await["type"], "__welcome");
    let work = client.begin("work", Value::Null).await;
    world.noted("work begins").await;
    let shutdown = shut_down(&zo, HOUR).await;
    client.send(json!({ "type": "quick" })).await;
    let told = client.next().await;
    assert_eq!(told["type"], "__error", "{told}");
    assert_eq!(told["payload"]["code"], "OVERLOADED", "{told}");
    // Protocol frames are answered as before.
    client.send(json!({ "type": "__ping" })).await;
    assert_eq!(client.next().await["type"], "__pong");
    world.handler.add_permits(1);
    assert_eq!(client.answer(&work).await, Ok(None));
    assert_eq!(client.closed().await.0, 1001);
    drop(client);
    assert_eq!(shutdown.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_the_end_of_its_connection_ends_with_a_close() {
    async fn watch(cx: Context<World>) -> Result<(), Error> {
        cx.note("watching");
        cx.closed().await;
        cx.note("the client has gone");
        Ok(())
    }
    let world = World::new();
    let zo = app(&world).build();
    let service = zo.serve(zo.router().incoming("watch", zo.message().handle(watch)));
    let mut client = connect_in_memory(&service, "").await.unwrap();
    client.begin("watch", Value::Null).await;
    world.noted("watching").await;
    let begun = Instant::now();
    let shutdown = shut_down(&zo, Duration::from_secs(10)).await;
    assert_eq!(client.closed().await, (1001, "going-away".to_owned()));
    drop(client);
    assert_eq!(shutdown.await.unwrap(), 0);
    assert_eq!(world.count("the client has gone"), 1);
    assert_eq!(begun.elapsed().as_secs(), 9);
}

#[tokio::test(start_paused = true)]
async fn shutdown_is_over_at_the_end_of_the_grace_period_whatever_is_left() {
    let world = World {
        connect: shut(),
        disconnect: shut(),
        ..World::new()
    };
    let zo = app(&world).build();
    let service = zo.serve(router(&zo));
    // A handler that never ends, a peer that never reads, and an `on_disconnect` that waits.
    let mut busy = connect_in_memory(&service, "").await.unwrap();
    busy.begin("work", Value::Null).await;
    let idle = connect_in_memory(&service, "").await.unwrap();
    world.noted("work begins").await;
    until(|| zo.contexts().len() == 2).await;
    let begun = Instant::now();
    assert_eq!(zo.shutdown(Duration::from_secs(10)).await, 2);
    assert_eq!(begun.elapsed().as_secs(), 10);
    world.disconnect.add_permits(2);
    all_gone(&zo, &world, 2).await;
    assert_eq!(world.count("work ends"), 0);
    drop((busy, idle));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_is_dropped_after_close_within() {
    let world = World::new();
    let limits = Limits::default().close_within(Duration::from_secs(2));
    let zo = app(&world).limits(limits).build();
    let client = connect_in_memory(&zo.serve(router(&zo)), "").await.unwrap();
    until(|| zo.contexts().len() == 1).await;
    let begun = Instant::now();
    assert_eq!(zo.shutdown(Duration::from_secs(10)).await, 0);
    assert_eq!(begun.elapsed().as_secs(), 2);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn closes_are_spread_over_part_of_the_grace_period() {
    let world = World::new();
    let zo = app(&world).build();
    let service = zo.serve(router(&zo));
    let mut clients = JoinSet::new();
    for _ in 0..50 {
        let mut client = connect_in_memory(&service, "").await.unwrap();
        clients.spawn(async move {
            assert_eq!(client.closed().await.0, 1001);
            Instant::now()
        });
    }
    let begun = Instant::now();
    assert_eq!(zo.shutdown(Duration::from_secs(10)).await, 0);
    let mut times: Vec<_> = clients.join_all().await;
    times.sort();
    // Five groups of ten, 10 ms apart.
    let groups: Vec<_> = times
        .chunks(10)
        .map(|group| (group[9] - begun).as_millis())
        .collect();
    assert!(
        groups.is_sorted() && groups[0] < 10 && groups[4] >= 40,
        "{groups:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_in_flight_are_answered_beside_peers_that_never_read() {
    const CALLS: usize = 1_000;
    let world = World::new();
    world.disconnect.add_permits(20);
    let zo = app(&world).build();
    let service = zo.serve(router(&zo));
    let mut clients = JoinSet::new();
    for _ in 0..CALLS {
        let mut client = connect_in_memory(&service, "").await.unwrap();
        let id = client.begin("work", Value::Null).await;
        clients.spawn(async move {
            assert_eq!(client.answer(&id).await, Ok(None));
            client.closed().await
        });
    }
    let mut never_read = Vec::new();
    for _ in 0..20 {
        never_read.push(connect_in_memory(&service, "").await.unwrap());
    }
    until(|| world.count("work begins") == CALLS && zo.contexts().len() == CALLS + 20).await;
    let shutdown = shut_down(&zo, Duration::from_secs(15)).await;
    // The calls end while the Closes are spread over half of the grace period.
    world.handler.add_permits(CALLS);
    let closes = clients.join_all().await;
    assert_eq!(closes.len(), CALLS);
    assert!(
        closes
            .iter()
            .all(|close| *close == (1001, "going-away".to_owned()))
    );
    assert_eq!(shutdown.await.unwrap(), 0);
    all_gone(&zo, &world, CALLS + 20).await;
}
