//! Readiness reaches the socket, and only the connections that it concerns: many connections, shared limits.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{sync::Semaphore, time::sleep};
use tower::limit::GlobalConcurrencyLimitLayer;
use zocket::{
    ClientId, Context, Limits, NoHeaders, Zocket,
    testing::{TestApp, TestClient},
};

async fn connect(app: &TestApp) -> TestClient {
    app.connect(&()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_one_starves_no_client_beside_a_thousand_idle_connections() {
    for window in [1, 2, 4, 16] {
        let zo = Zocket::builder()
            .on_connect(async |_: NoHeaders, _: ClientId| Ok(()))
            .concurrency(window)
            .layer(GlobalConcurrencyLimitLayer::new(1))
            .build();
        let work = zo.message().handle(async |_: Context<()>| {
            sleep(Duration::from_millis(1)).await;
            Ok(())
        });
        let app = TestApp::new(zo.serve(zo.router().incoming("work", work)));
        let mut idle = join_all((0..1_000).map(|_| connect(&app))).await;
        // Each client has been served once and must have released its readiness.
        for client in &mut idle {
            client.call_route::<()>("work", &()).await.unwrap();
        }
        let mut busy = join_all((0..4).map(|_| connect(&app))).await;
        let mut begun = Vec::new();
        for client in &mut busy {
            for _ in 0..50 {
                begun.push(client.begin_route("work", &()).await.unwrap());
            }
        }
        let mut begun = begun.into_iter();
        for client in &mut busy {
            for call in begun.by_ref().take(50) {
                client.answer::<()>(call).await.unwrap();
            }
        }
        assert_eq!(zo.connections(), 1_004, "window {window}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_route_blocks_only_its_connection_and_a_concurrent_route_not_even_that() {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(()))
        .limits(Limits::default().stall(Duration::from_secs(5)))
        .build();
    let gate = Arc::new(Semaphore::new(0));
    let wait = {
        let gate = gate.clone();
        move |_: Context<()>| {
            let gate = gate.clone();
            async move {
                drop(gate.acquire().await);
                Ok(())
            }
        }
    };
    let one = GlobalConcurrencyLimitLayer::new(1);
    let message = zo.message().layer(one);
    let router = zo
        .router()
        .incoming("wait", message.clone().handle(wait.clone()))
        .incoming("waitAside", message.concurrent().handle(wait))
        .incoming("free", zo.message().handle(async |_: Context<()>| Ok(1_u8)));
    let app = TestApp::new(zo.serve(router));
    let (mut holder, mut behind, mut aside, mut other) = (
        connect(&app).await,
        connect(&app).await,
        connect(&app).await,
        connect(&app).await,
    );

    let held = holder.begin_route("wait", &()).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    // The message waits for the route, and the messages after it wait for the message. That may take any time, since a
    // route's limit never counts as a stall.
    let waits = behind.begin_route("wait", &()).await.unwrap();
    let after = behind.begin_route("free", &()).await.unwrap();
    let waits_aside = aside.begin_route("waitAside", &()).await.unwrap();
    assert_eq!(aside.call_route::<u8>("free", &()).await.unwrap(), 1);
    assert_eq!(other.call_route::<u8>("free", &()).await.unwrap(), 1);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(zo.connections(), 4);

    gate.add_permits(3);
    holder.answer::<()>(held).await.unwrap();
    behind.answer::<()>(waits).await.unwrap();
    assert_eq!(behind.answer::<u8>(after).await.unwrap(), 1);
    aside.answer::<()>(waits_aside).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_too_long_for_the_apps_limit_is_closed_with_3001_alone() {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(()))
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .build();
    let slow = zo.message().handle(async |_: Context<()>| {
        sleep(Duration::from_secs(45)).await;
        Ok(())
    });
    let app = TestApp::new(zo.serve(zo.router().incoming("slow", slow)));
    let (mut first, mut second) = (connect(&app).await, connect(&app).await);
    let held = first.begin_route("slow", &()).await.unwrap();
    sleep(Duration::from_millis(1)).await;
    let _ = second.begin_route::<()>("slow", &()).await.unwrap();
    // 30 s is the default of `Limits::stall`.
    sleep(Duration::from_secs(31)).await;
    assert_eq!(second.closed().await, (3001, "stalled".to_owned()));
    sleep(Duration::from_secs(15)).await;
    first.answer::<()>(held).await.unwrap();
    // The second client's message is dropped, so the third client does not wait for it.
    let mut third = connect(&app).await;
    let again = third.begin_route("slow", &()).await.unwrap();
    sleep(Duration::from_secs(46)).await;
    third.answer::<()>(again).await.unwrap();
}
