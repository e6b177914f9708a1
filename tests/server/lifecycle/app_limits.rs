//! Limits of the whole app, and of handshakes.

use std::{future::pending, time::Duration};

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::Instant;
use zocket::{AppLimits, ClientId, Error, NoHeaders, Zocket};

use super::{
    World, all_gone, app,
    common::{Server, connect_in_memory, raw::Raw, raw::handshake, until},
    request_upgrade, router, shut, start,
};

/// Sends an upgrade request, and returns the head of the answer in lower case, with its connection.
async fn ask(server: &Server) -> (String, Raw) {
    let mut raw = server.dial().await;
    raw.write(handshake("").as_bytes()).await;
    (raw.read_http().await.to_ascii_lowercase(), raw)
}

/// Asserts that an answer is a 503 with this time to wait.
fn assert_full(head: &str, retry_after: u64) {
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    assert!(
        head.contains(&format!("\r\nretry-after: {retry_after}\r\n")),
        "{head}"
    );
}

#[tokio::test]
async fn of_50_clients_at_once_exactly_as_many_come_in_as_the_app_has_room_for() {
    let world = World::new();
    let (zo, server) = start(app(&world).app_limits(AppLimits::default().connections(3))).await;
    let answers = join_all((0..50).map(|_| ask(&server))).await;
    let (opened, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|(head, _)| head.starts_with("http/1.1 101 "));
    assert_eq!((opened.len(), refused.len()), (3, 47));
    for (head, _) in &refused {
        assert_full(head, 5);
    }
    assert_eq!(
        world.count("on_connect"),
        3,
        "the app is not asked about the others"
    );
    let (status, body) = server.try_connect("", &[]).await.err().unwrap();
    assert_eq!((status, &body["code"]), (503, &json!("OVERLOADED")));
    drop(opened);
    until(|| zo.connections() == 0).await;
    // The places are free again.
    for _ in 0..3 {
        server.connect("").await.close().await;
    }
    until(|| zo.connections() == 0).await;
}

#[tokio::test]
async fn a_client_that_on_connect_refuses_leaves_its_place() {
    let world = World::new();
    let (zo, server) = start(app(&world).app_limits(AppLimits::default().connections(1))).await;
    for _ in 0..20 {
        assert_eq!(server.try_connect("how=refuse", &[]).await.err().unwrap().0, 403);
    }
    let client = server.connect("").await;
    assert_eq!(server.try_connect("", &[]).await.err().unwrap().0, 503);
    client.close().await;
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn a_connection_holds_its_place_until_on_disconnect_has_ended() {
    let world = World {
        disconnect: shut(),
        ..World::new()
    };
    let (zo, server) = start(app(&world).app_limits(AppLimits::default().connections(1))).await;
    server.connect("").await.close().await;
    assert_eq!(server.try_connect("", &[]).await.err().unwrap().0, 503);
    world.disconnect.add_permits(2);
    until(|| zo.connections() == 0).await;
    server.connect("").await.close().await;
    all_gone(&zo, &world, 2).await;
}

#[tokio::test]
async fn handshakes_beyond_those_under_way_are_refused() {
    let world = World {
        connect: shut(),
        ..World::new()
    };
    let (zo, server) = start(app(&world).app_limits(AppLimits::default().handshakes(2))).await;
    let mut first = request_upgrade(&server, b"").await;
    let second = request_upgrade(&server, b"").await;
    until(|| world.count("on_connect") == 2).await;
    for (head, _) in join_all((0..50).map(|_| ask(&server))).await {
        assert_full(&head, 1);
    }
    assert_eq!(world.count("on_connect"), 2);
    // A peer that hangs up gives its place up, too.
    drop(second);
    world.noted("on_connect ended").await;
    let mut third = request_upgrade(&server, b"").await;
    until(|| world.count("on_connect") == 3).await;
    world.connect.add_permits(2);
    for raw in [&mut first, &mut third] {
        assert!(raw.read_http().await.starts_with("HTTP/1.1 101 "));
    }
    // Open connections are no handshakes.
    assert!(ask(&server).await.0.starts_with("http/1.1 101 "));
    drop((first, third));
    all_gone(&zo, &world, 3).await;
}

/// A value whose drop panics.
struct Explosive;

impl Drop for Explosive {
    fn drop(&mut self) {
        panic!("the drop of a value panics");
    }
}

#[tokio::test(start_paused = true)]
async fn an_on_connect_that_takes_too_long_is_dropped_and_ends_as_504() {
    let world = World {
        connect: shut(),
        ..World::new()
    };
    let limits = AppLimits::default()
        .handshakes(1)
        .connect_within(Duration::from_secs(3));
    let zo = app(&world).app_limits(limits).build();
    let service = zo.serve(router(&zo));
    for _ in 0..2 {
        let begun = Instant::now();
        let (status, body) = connect_in_memory(&service, "how=wait").await.err().unwrap();
        assert_eq!((status, &body["code"]), (504, &json!("TIMEOUT")), "{body}");
        assert_eq!(begun.elapsed().as_secs(), 3);
    }
    assert_eq!(world.count("on_connect ended"), 2);
    // Neither of them is left, as a client or as a handshake under way.
    connect_in_memory(&service, "").await.ok().unwrap().close().await;
    all_gone(&zo, &world, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_late_on_connect_whose_drop_panics_ends_as_504() {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| -> Result<(), Error> {
            let _explosive = Explosive;
            pending().await
        })
        .build();
    let service = zo.serve(zo.router());
    let begun = Instant::now();
    let (status, _) = connect_in_memory(&service, "").await.err().unwrap();
    assert_eq!((status, begun.elapsed().as_secs()), (504, 10));
    assert_eq!(zo.shutdown(Duration::ZERO).await, 0);
}

#[tokio::test]
async fn limits_of_the_app_accept_the_extremes_of_their_types() {
    let world = World::new();
    let limits = AppLimits::default()
        .connections(usize::MAX)
        .handshakes(usize::MAX)
        .connect_within(Duration::MAX)
        .open_within(Duration::MAX);
    let (zo, server) = start(app(&world).app_limits(limits)).await;
    server.connect("how=wait").await.close().await;
    all_gone(&zo, &world, 1).await;
    for limits in [
        AppLimits::default().connections(0),
        AppLimits::default().handshakes(0),
    ] {
        let (_, server) = start(app(&world).app_limits(limits)).await;
        assert_eq!(server.try_connect("", &[]).await.err().unwrap().0, 503);
    }
}
