//! `on_disconnect` runs once for each accepted client, for every kind of end, and never for a refused one.

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use zocket::Context;

use super::{
    World, all_gone, app,
    common::{serve, until},
    request_upgrade, router, shut, start, visit,
};

#[tokio::test]
async fn a_clean_close_runs_on_disconnect_once() {
    let world = World::new();
    let (zo, server) = start(app(&world)).await;
    server.connect("").await.close().await;
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn a_broken_connection_runs_on_disconnect_once() {
    let world = World::new();
    let (zo, server) = start(app(&world)).await;
    let client = server.connect("").await;
    until(|| zo.connections() == 1).await;
    drop(client);
    all_gone(&zo, &world, 1).await;
    // The connection breaks inside a masked frame: 100 bytes announced, none sent.
    let mut client = server.connect("").await;
    client
        .socket
        .get_mut()
        .write_all(&[0x81, 0x80 | 100])
        .await
        .unwrap();
    drop(client);
    all_gone(&zo, &world, 2).await;
}

#[tokio::test]
async fn a_protocol_error_runs_on_disconnect_once() {
    let world = World::new();
    let (zo, mut client) = visit(app(&world)).await;
    // A client's frames must be masked (RFC 6455, section 5.1).
    client.socket.get_mut().write_all(b"\x81\x02hi").await.unwrap();
    assert_eq!(client.closed().await.0, 1002);
    drop(client);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn a_close_by_the_server_runs_on_disconnect_once() {
    let world = World::new();
    let zo = app(&world).build();
    let kick = zo.message().handle(async |cx: Context<World>| {
        cx.close(4000, "kicked");
        cx.close(4001, "twice");
        Ok(())
    });
    let server = serve(zo.serve(zo.router().incoming("kick", kick))).await;
    let mut client = server.connect("").await;
    client.begin("kick", Value::Null).await;
    assert_eq!(client.closed().await, (4000, "kicked".to_owned()));
    drop(client);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn a_client_that_on_connect_refuses_never_runs_on_disconnect() {
    let world = World::new();
    let (zo, server) = start(app(&world)).await;
    let (status, _) = server.try_connect("how=refuse", &[]).await.err().unwrap();
    assert_eq!(status, 403);
    // If the refused client ran `on_disconnect`, its log entry would precede this client's.
    server.connect("").await.close().await;
    all_gone(&zo, &world, 1).await;
    assert_eq!(world.log(), ["on_connect", "on_connect", "on_disconnect in []"]);
}

#[tokio::test]
async fn a_client_that_leaves_during_on_connect_runs_on_disconnect_only_after_its_success() {
    let world = World {
        connect: shut(),
        ..World::new()
    };
    let (zo, server) = start(app(&world)).await;
    for round in 1..=30 {
        let before = world.count("on_disconnect in []");
        let stream = request_upgrade(&server, b"").await;
        until(|| world.count("on_connect") == round).await;
        match round % 3 {
            // `on_connect` is cancelled.
            0 => drop(stream),
            // `on_connect` succeeds while the client leaves.
            1 => {
                world.connect.add_permits(1);
                drop(stream);
            }
            // The client leaves first.
            _ => {
                drop(stream);
                tokio::task::yield_now().await;
                world.connect.add_permits(1);
            }
        }
        until(|| world.count("on_connect ended") == round && zo.connections() == 0).await;
        assert_eq!(
            world.count("on_connect succeeds"),
            world.count("on_disconnect in []"),
            "{:?}",
            world.log()
        );
        let departures = world.count("on_disconnect in []") - before;
        match round % 3 {
            0 => assert_eq!(departures, 0, "{:?}", world.log()),
            1 => assert_eq!(departures, 1, "{:?}", world.log()),
            // The end of the stream may be read before on_connect succeeds, or after.
            _ => {}
        }
        // A cancelled `on_connect` leaves its permit.
        world.connect.forget_permits(1);
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_101_runs_on_disconnect_once() {
    let world = World::new();
    let zo = app(&world).build();
    let service = zo.serve(router(&zo));
    // The response is created and never sent.
    let never_answers = service_fn(move |request: Request<Incoming>| {
        let service = service.clone();
        async move {
            let response = service.oneshot(request).await?;
            assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
            std::future::pending::<()>().await;
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let server = serve(never_answers).await;
    let stream = request_upgrade(&server, b"").await;
    until(|| zo.connections() == 1).await;
    assert_eq!(
        world.log(),
        ["on_connect", "on_connect succeeds", "on_connect ended"]
    );
    drop(stream);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn a_replaced_101_runs_on_disconnect_once() {
    let world = World::new();
    let zo = app(&world).build();
    let replaced = ServiceBuilder::new()
        .map_response(|_| {
            let mut response = Response::new(zocket::Body::default());
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            response
        })
        .service(zo.serve(router(&zo)));
    let server = serve(replaced).await;
    let (status, _) = server.try_connect("", &[]).await.err().unwrap();
    assert_eq!(status, 418);
    all_gone(&zo, &world, 1).await;
}
