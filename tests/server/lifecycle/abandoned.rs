//! Ends that the app's code or the runtime cuts short: values whose drop panics, and a runtime that is dropped.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use http::Request;
use hyper::body::Incoming;
use tokio::{runtime, time::timeout};
use tower::{ServiceBuilder, layer::util::Identity};
use zocket::{Builder, ClientId, Context, Hub, LocalHub, NoHeaders, Target, Zocket};

use super::common::{PATIENCE, Server, serve, until};

/// Longer than any test takes.
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a value panics when it is dropped");
        }
    }
}

/// Connects clients, lets some of them leave, and shuts the app down.
async fn shutdown_returns<C: Send + Sync + 'static>(zo: &Zocket<C>, server: &Server) {
    for _ in 0..3 {
        drop(server.connect("").await);
    }
    let (mut stays, mut closes) = (server.connect("").await, server.connect("").await);
    closes.socket.close(None).await.unwrap();
    let left = tokio::join!(timeout(PATIENCE, zo.shutdown(HOUR)), stays.closed()).0;
    assert_eq!(left.expect("shutdown returns"), 0);
    assert_eq!(zo.connections(), 0);
}

#[tokio::test]
async fn shutdown_returns_though_the_value_of_on_connect_panics_on_drop() {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(Bomb))
        .build();
    let server = serve(zo.serve(zo.router())).await;
    shutdown_returns(&zo, &server).await;
}

#[tokio::test]
async fn shutdown_returns_though_an_extension_of_the_request_panics_on_drop() {
    let zo = Zocket::builder().build();
    let service = ServiceBuilder::new()
        .map_request(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(Arc::new(Bomb));
            request
        })
        .service(zo.serve(zo.router()));
    let server = serve(service).await;
    shutdown_returns(&zo, &server).await;
}

#[tokio::test]
async fn shutdown_returns_though_a_future_of_the_lifecycle_panics_on_drop() {
    let zo = Zocket::builder()
        .on_open(|_: Context| {
            let bomb = Bomb;
            async move {
                let _held = &bomb;
                Ok(())
            }
        })
        .on_disconnect(async |_: Context| {
            let _bomb = Bomb;
        })
        .build();
    let server = serve(zo.serve(zo.router())).await;
    // `on_open` panics at its end, which closes the connection.
    for _ in 0..3 {
        assert_eq!(server.connect("").await.closed().await.0, 1011);
    }
    let left = timeout(PATIENCE, zo.shutdown(HOUR)).await;
    assert_eq!(left.expect("shutdown returns"), 0);
}

/// Serves an app on a runtime, connects clients from another, and drops the first runtime.
pub(super) fn drop_the_runtime<C: Send + Sync + 'static>(
    mut builder: runtime::Builder,
    app: Builder<C, Identity>,
    hub: &Arc<LocalHub>,
    clients: usize,
) -> Zocket<C> {
    let zo = app.hub(hub.clone()).build();
    let (addr, address) = mpsc::channel();
    let (dropped, drop_it) = tokio::sync::oneshot::channel::<()>();
    let serving = std::thread::spawn({
        let service = zo.serve(zo.router());
        move || {
            let runtime = builder.enable_all().build().unwrap();
            runtime.block_on(async {
                let server = serve(service).await;
                addr.send(server.addr).unwrap();
                drop_it.await.unwrap();
            });
        }
    });
    let server_addr = address.recv().unwrap();
    let ours = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    ours.block_on(async {
        let mut open = Vec::new();
        for _ in 0..clients {
            let url = format!("ws://{server_addr}/");
            open.push(tokio_tungstenite::connect_async(url).await.unwrap());
        }
        until(|| hub.client_count() == clients).await;
        dropped.send(()).unwrap();
        serving.join().unwrap();
    });
    zo
}

/// Asserts that nothing is left of the clients.
fn assert_forgotten<C>(zo: &Zocket<C>, hub: &LocalHub) {
    assert_eq!((hub.client_count(), hub.room_count()), (0, 0));
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let everyone = Target::everyone();
    assert!(runtime.block_on(hub.clients(&everyone)).value.is_empty());
    assert_eq!(zo.connections(), 0);
    assert_eq!(runtime.block_on(zo.shutdown(HOUR)), 0);
}

#[test]
fn a_dropped_runtime_leaves_no_client_in_the_hub() {
    for builder in [
        runtime::Builder::new_current_thread,
        runtime::Builder::new_multi_thread,
    ] {
        let hub = Arc::new(LocalHub::new());
        let app = Zocket::builder().on_open(async |cx: Context| cx.rooms().join("lobby"));
        let zo = drop_the_runtime(builder(), app, &hub, 50);
        assert_forgotten(&zo, &hub);
    }
}

#[test]
fn a_runtime_dropped_while_on_open_waits_leaves_no_client_in_the_hub() {
    let hub = Arc::new(LocalHub::new());
    let app = Zocket::builder().on_open(async |cx: Context| {
        cx.rooms().join("lobby")?;
        std::future::pending().await
    });
    let zo = drop_the_runtime(runtime::Builder::new_current_thread(), app, &hub, 3);
    assert_forgotten(&zo, &hub);
}

#[test]
fn a_runtime_dropped_with_values_that_panic_on_drop_leaves_no_client_in_the_hub() {
    let hub = Arc::new(LocalHub::new());
    let app = Zocket::builder().on_connect(async |_: NoHeaders, _: ClientId| Ok(Bomb));
    let zo = drop_the_runtime(runtime::Builder::new_multi_thread(), app, &hub, 3);
    assert_forgotten(&zo, &hub);
}
