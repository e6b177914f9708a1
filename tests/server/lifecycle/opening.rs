//! Clients between the success of `on_connect` and the socket: an outer layer decides what becomes of the 101.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{sync::Arc, time::Duration};

use http::{Request, Response, StatusCode};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{io::AsyncWriteExt, sync::Semaphore, time::Instant};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use zocket::{AppLimits, Builder, Hub, LocalHub, Target};

use super::{
    World, all_gone, app,
    common::{
        PATIENCE, Server,
        raw::{Raw, handshake},
        serve, until,
    },
    request_upgrade, router, shut,
};

/// A layer that does something unusual with the 101.
#[derive(Debug, Clone, Copy)]
enum Outer {
    /// Replaces it by 418.
    Replaces,
    /// Fails, which hyper answers by closing the connection.
    Fails,
    /// Removes the fields of the upgrade, and answers 200.
    Strips,
    /// Holds it back until the gate opens.
    HoldsBack,
}

/// Serves an app within such a layer, on a hub that the test reads.
async fn serve_within(
    outer: Outer,
    app: Builder<World, tower::layer::util::Identity>,
    hub: &Arc<LocalHub>,
    gate: &Arc<Semaphore>,
) -> (zocket::Zocket<World>, Server) {
    let zo = app.hub(hub.clone()).build();
    let service = zo.serve(router(&zo));
    let gate = gate.clone();
    let outer = service_fn(move |request: Request<Incoming>| {
        let (service, gate) = (service.clone(), gate.clone());
        async move {
            let mut response = service.oneshot(request).await.expect("infallible");
            match outer {
                Outer::Replaces => {
                    response = Response::new(zocket::Body::default());
                    *response.status_mut() = StatusCode::IM_A_TEAPOT;
                }
                Outer::Fails => return Err("the layer fails"),
                Outer::Strips => {
                    response.headers_mut().clear();
                    *response.status_mut() = StatusCode::OK;
                }
                Outer::HoldsBack => World::pass(&gate).await,
            }
            Ok(response)
        }
    });
    let server = serve(ServiceBuilder::new().service(outer)).await;
    (zo, server)
}

/// Requests an upgrade, and keeps the HTTP connection alive.
async fn pending(zo: &zocket::Zocket<World>, world: &World, server: &Server) -> Raw {
    let raw = request_upgrade(server, b"").await;
    world.noted("on_connect succeeds").await;
    until(|| zo.connections() == 1).await;
    raw
}

#[tokio::test]
async fn nobody_is_in_the_hub_before_the_socket_is_there() {
    for outer in [Outer::Replaces, Outer::Strips, Outer::HoldsBack] {
        let (world, hub, gate) = (World::new(), Arc::new(LocalHub::new()), shut());
        let (zo, server) = serve_within(outer, app(&world), &hub, &gate).await;
        let alive = pending(&zo, &world, &server).await;
        assert_eq!(hub.client_count(), 0, "{outer:?}");
        assert!(
            hub.clients(&Target::everyone()).await.value.is_empty(),
            "{outer:?}"
        );
        drop(alive);
        all_gone(&zo, &world, 1).await;
    }
}

#[tokio::test]
async fn a_pending_upgrade_ends_at_shutdown() {
    for outer in [Outer::Replaces, Outer::Strips, Outer::HoldsBack] {
        let (world, hub, gate) = (World::new(), Arc::new(LocalHub::new()), shut());
        let (zo, server) = serve_within(outer, app(&world), &hub, &gate).await;
        let alive = pending(&zo, &world, &server).await;
        let left = tokio::time::timeout(PATIENCE, zo.shutdown(Duration::from_secs(60 * 60))).await;
        assert_eq!(left.expect("shutdown returns"), 0, "{outer:?}");
        assert_eq!(world.count("on_disconnect in []"), 1, "{outer:?}");
        drop(alive);
    }
}

#[tokio::test]
async fn a_101_that_is_held_back_still_opens_the_connection() {
    let (world, hub, gate) = (World::new(), Arc::new(LocalHub::new()), shut());
    let (zo, server) = serve_within(Outer::HoldsBack, app(&world), &hub, &gate).await;
    let mut raw = pending(&zo, &world, &server).await;
    gate.add_permits(1);
    assert!(raw.read_http().await.starts_with("HTTP/1.1 101 "));
    until(|| hub.client_count() == 1).await;
    drop(raw);
    all_gone(&zo, &world, 1).await;
    assert_eq!(hub.client_count(), 0);
}

#[tokio::test]
async fn a_layer_that_fails_after_on_connect_ends_the_client() {
    let (world, hub, gate) = (World::new(), Arc::new(LocalHub::new()), shut());
    let (zo, server) = serve_within(Outer::Fails, app(&world), &hub, &gate).await;
    let mut raw = request_upgrade(&server, b"").await;
    raw.hung_up().await;
    world.noted("on_disconnect in []").await;
    all_gone(&zo, &world, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_pending_upgrade_is_given_up_after_open_within() {
    let world = World::new();
    let limits = AppLimits::default().open_within(Duration::from_secs(3));
    let zo = app(&world).app_limits(limits).build();
    let service = zo.serve(router(&zo));
    let replaces = service_fn(move |request: Request<Incoming>| {
        let service = service.clone();
        async move {
            let accepted = service.oneshot(request).await?;
            assert_eq!(accepted.status(), StatusCode::SWITCHING_PROTOCOLS);
            let mut response = Response::new(zocket::Body::default());
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    // The client keeps the connection alive.
    let (mut near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let service = TowerToHyperService::new(replaces);
        let serving = http1::Builder::new().serve_connection(TokioIo::new(far), service);
        let _ = serving.with_upgrades().await;
    });
    near.write_all(handshake("").as_bytes()).await.unwrap();
    let begun = Instant::now();
    until(|| world.count("on_disconnect in []") == 1).await;
    assert_eq!(begun.elapsed().as_secs(), 3);
    all_gone(&zo, &world, 1).await;
}
