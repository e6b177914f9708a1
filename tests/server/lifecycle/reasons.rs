//! `on_disconnect` learns the reason of the end, once for each kind.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tower::{BoxError, layer::util::Identity, service_fn};
use zocket::{
    Builder, Close, Context, Error, Limits, LocalHub, Reason, Shutdown, Target, Zocket, layers::Frame,
};

use super::{
    World,
    abandoned::drop_the_runtime,
    app,
    common::{Client, PATIENCE, Server, connect_in_memory, raw, serve, until},
    request_upgrade, router,
};

/// Returns an app whose `on_disconnect` writes the reason to the log.
fn told(world: &World) -> Builder<World, Identity> {
    app(world).on_disconnect(async |cx: Context<World>, reason: Reason| cx.note(format!("{reason:?}")))
}

async fn start(app: Builder<World, Identity>) -> (Zocket<World>, Server) {
    let zo = app.build();
    let close = zo.message().handle(async |cx: Context<World>| {
        cx.close(4001, "done");
        Ok(())
    });
    // A code and a reason that the server uses itself do not change the kind.
    let close_as_stalled = zo.message().handle(async |cx: Context<World>| {
        cx.close(3001, "stalled");
        Ok(())
    });
    let router = router(&zo)
        .incoming("bye", close)
        .incoming("stall", close_as_stalled);
    let server = serve(zo.serve(router)).await;
    (zo, server)
}

/// Waits for the end of the only connection, and checks the reason.
async fn ended(zo: &Zocket<World>, world: &World, reason: Reason) {
    until(|| zo.connections() == 0).await;
    assert_eq!(world.log().last(), Some(&format!("{reason:?}")));
    world.log.lock().unwrap().clear();
}

#[tokio::test]
async fn a_close_by_the_peer_is_told_with_its_code_and_reason() {
    let world = World::new();
    let (zo, server) = start(told(&world)).await;
    for (code, reason) in [(1000, ""), (1001, "the page is gone"), (4999, "bye")] {
        let mut client = server.connect("").await;
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: reason.into(),
        };
        client.socket.close(Some(frame)).await.unwrap();
        ended(&zo, &world, Reason::ClosedByPeer(Close::new(code, reason))).await;
    }
    server.connect("").await.close().await;
    ended(&zo, &world, Reason::ClosedByPeer(Close::new(1005, ""))).await;
}

#[tokio::test]
async fn a_close_by_the_server_is_told_with_its_code_and_reason() {
    let world = World::new();
    let (zo, server) = start(told(&world)).await;
    for (route, code, reason) in [("bye", 4001, "done"), ("stall", 3001, "stalled")] {
        let mut client = server.connect("").await;
        client.begin(route, Value::Null).await;
        assert_eq!(client.closed().await, (code, reason.to_owned()));
        drop(client);
        ended(&zo, &world, Reason::ClosedByServer(Close::new(code, reason))).await;
    }
    // By other code of the app.
    let mut client = server.connect("").await;
    until(|| zo.contexts().len() == 1).await;
    zo.emitter()
        .clients(Target::everyone())
        .disconnect(4002, "kicked")
        .unwrap();
    assert_eq!(client.closed().await.0, 4002);
    drop(client);
    ended(&zo, &world, Reason::ClosedByServer(Close::new(4002, "kicked"))).await;
    // For a violation of RFC 6455: a frame with a reserved bit.
    let mut peer = server.raw().await;
    peer.write(&raw::frame(0x40 | raw::FIN | raw::TEXT, b"{}")).await;
    assert_eq!(peer.closed().await.0, 1002);
    drop(peer);
    let violation = Close::new(1002, "protocol-error");
    ended(&zo, &world, Reason::ClosedByServer(violation)).await;
}

#[tokio::test]
async fn a_refusal_by_on_open_is_a_close_by_the_server() {
    let world = World::new();
    let refuses = told(&world).on_open(async |_| Err(Error::forbidden("members only")));
    let (zo, server) = start(refuses).await;
    let mut client = server.connect("").await;
    assert_eq!(client.closed().await.0, 1008);
    drop(client);
    ended(&zo, &world, Reason::ClosedByServer(Close::new(1008, "FORBIDDEN"))).await;
}

#[tokio::test]
async fn a_lost_connection_is_cut() {
    let world = World::new();
    let (zo, server) = start(told(&world)).await;
    drop(server.connect("").await);
    ended(&zo, &world, Reason::Cut).await;
    // Inside of a frame.
    let mut peer = server.raw().await;
    peer.write(&raw::head(raw::FIN | raw::TEXT, 100)).await;
    drop(peer);
    ended(&zo, &world, Reason::Cut).await;
    // While a handler runs.
    let mut client = server.connect("").await;
    client.begin("work", Value::Null).await;
    world.noted("work begins").await;
    drop(client);
    world.handler.add_permits(1);
    ended(&zo, &world, Reason::Cut).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_ping_is_silent() {
    let world = World::new();
    let zo = told(&world).build();
    let client = connect_in_memory(&zo.serve(router(&zo)), "").await.unwrap();
    // The client's side of the pipe stays open, and nobody reads it.
    until(|| zo.contexts().len() == 1).await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    ended(&zo, &world, Reason::Silent).await;
    drop(client);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_a_slow_reader() {
    let world = World::new();
    let limits = Limits::default().outbound(1 << 16).message(1 << 16);
    let (zo, server) = start(told(&world).limits(limits)).await;
    let mut peer = server.raw().await;
    until(|| zo.contexts().len() == 1).await;
    let text = "x".repeat(60_000);
    while zo.contexts().len() == 1 && world.log().len() == 1 {
        let sent = zo.emitter().send(super::Hello(text.clone())).broadcast();
        sent.unwrap();
        tokio::task::yield_now().await;
    }
    // The Close comes after what the peer has not read.
    assert_eq!(peer.closed().await, (3002, "slow-reader".to_owned()));
    drop(peer);
    ended(&zo, &world, Reason::SlowReader).await;
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_never_ready_stalls() {
    let world = World::new();
    let limits = Limits::default().stall(Duration::from_secs(5));
    let zo = told(&world).limits(limits).build();
    let never_ready = tower::ServiceBuilder::new()
        .concurrency_limit(0)
        .service(service_fn(async |frame: Frame| {
            Ok::<_, BoxError>(frame.into_data())
        }));
    let mut client: Client<_> = connect_in_memory(&zo.serve_stack(never_ready), "").await.unwrap();
    client.begin("anything", Value::Null).await;
    assert_eq!(client.closed().await, (3001, "stalled".to_owned()));
    drop(client);
    ended(&zo, &world, Reason::Stalled).await;
}

#[tokio::test]
async fn a_shutdown_is_told_apart_from_other_closes() {
    for (shutdown, code) in [
        (Shutdown::within(PATIENCE), 1001),
        (Shutdown::within(PATIENCE).restart(), 1012),
    ] {
        let world = World::new();
        let (zo, server) = start(told(&world)).await;
        let mut client = server.connect("").await;
        let closed = async {
            assert_eq!(client.closed().await.0, code);
            drop(client);
        };
        assert_eq!(tokio::join!(zo.shutdown(shutdown), closed).0, 0);
        ended(&zo, &world, Reason::Shutdown).await;
    }
    // Also at the end of the grace period, with a handler that never ends.
    let world = World::new();
    let (zo, server) = start(told(&world)).await;
    let mut client = server.connect("").await;
    client.begin("work", Value::Null).await;
    world.noted("work begins").await;
    assert_eq!(zo.shutdown(Duration::ZERO).await, 1);
    ended(&zo, &world, Reason::Shutdown).await;
}

#[tokio::test]
async fn a_client_without_a_socket_never_opened() {
    let world = World::new();
    let zo = told(&world).build();
    let service = zo.serve(router(&zo));
    let fails = service_fn(move |request| {
        let service = service.clone();
        async move {
            let _accepted = tower::ServiceExt::oneshot(service, request).await;
            Err::<http::Response<zocket::Body>, _>("the layer fails")
        }
    });
    let server = serve(fails).await;
    let mut peer = request_upgrade(&server, b"").await;
    peer.hung_up().await;
    world.noted("NeverOpened").await;
    ended(&zo, &world, Reason::NeverOpened).await;
}

#[test]
fn a_dropped_runtime_is_told() {
    for builder in [
        tokio::runtime::Builder::new_current_thread,
        tokio::runtime::Builder::new_multi_thread,
    ] {
        let (world, hub) = (World::new(), Arc::new(LocalHub::new()));
        let zo = drop_the_runtime(builder(), told(&world), &hub, 5);
        assert_eq!(world.count("RuntimeDropped"), 5, "{:?}", world.log());
        assert_eq!((zo.connections(), hub.client_count()), (0, 0));
    }
}

#[test]
fn reasons_are_readable() {
    let close = |code, reason: &'static str| Close::new(code, reason);
    let texts = [
        (Reason::ClosedByPeer(close(1001, "")), "closed by the peer: 1001"),
        (
            Reason::ClosedByServer(close(4001, "done")),
            "closed by the server: 4001 done",
        ),
        (Reason::SlowReader, "slow reader"),
        (Reason::RuntimeDropped, "runtime dropped"),
    ];
    for (reason, text) in texts {
        assert_eq!(reason.to_string(), text);
    }
}
