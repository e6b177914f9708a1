//! Middleware that limits calls: timeout, concurrency limit, rate limit, load shed, buffer.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt, limit::GlobalConcurrencyLimitLayer,
    load_shed::error::Overloaded, spawn_ready::SpawnReady, timeout::error::Elapsed,
};
use zocket::client::CallError;

use super::{
    super::{
        begins,
        common::PATIENCE,
        hasty,
        servers::{Mortal, Port},
        soon,
        world::{Post, World, text},
    },
    site::{Bid, Site, Step, Wakes, bid},
};

#[tokio::test]
async fn a_timeout_gives_the_call_up_and_the_next_one_is_answered() {
    let site = Site::open([Step::Wait]).await;
    let client = site.client().await;
    let limited = |time| ServiceBuilder::new().timeout(time).service(client.service());
    let brief = Duration::from_millis(20);
    let error = limited(brief).oneshot(bid(1)).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
    // However slow the machine is, the answer comes within this time.
    let price = limited(PATIENCE).oneshot(bid(2)).await.unwrap();
    assert_eq!(price.attempt, 2);
    // The server still works on the first one.
    site.release_one();
    site.wait_for_answers(2).await;
}

#[tokio::test]
async fn a_concurrency_limit_makes_callers_wait_before_they_call() {
    let site = Site::open([Step::Wait]).await;
    let mut service = ServiceBuilder::new()
        .concurrency_limit(1)
        .service(site.client().await.service::<Bid>());
    let mut first = Box::pin(service.ready().await.unwrap().call(bid(1)));
    assert!(begins(&mut first).await);
    let task = Arc::new(Wakes::default());
    assert!(task.poll_ready(&mut service).is_pending());
    site.wait_for_handlers(1).await;
    site.release_one();
    assert_eq!(soon(first).await.unwrap().attempt, 1);
    assert_eq!(task.count(), 1);
    assert_eq!(soon(service.oneshot(bid(2))).await.unwrap().attempt, 2);
}

#[tokio::test]
async fn a_global_concurrency_limit_applies_to_all_services_that_have_it() {
    let (site, world) = (Site::open([Step::Wait]).await, super::super::world::visit().await);
    let limit = GlobalConcurrencyLimitLayer::new(1);
    let mut bids = limit.layer(site.client().await.service::<Bid>());
    let mut posts = limit.layer(world.1.service::<Post>());
    let mut first = Box::pin(bids.ready().await.unwrap().call(bid(1)));
    assert!(begins(&mut first).await);
    let task = Arc::new(Wakes::default());
    assert!(task.poll_ready(&mut posts).is_pending());
    site.wait_for_handlers(1).await;
    site.release_one();
    soon(first).await.unwrap();
    assert_eq!(soon(posts.oneshot(text("x"))).await.unwrap().length, 1);
}

#[tokio::test]
async fn a_rate_limit_makes_callers_wait_before_they_call() {
    let site = Site::open([]).await;
    let period = Duration::from_millis(50);
    // `RateLimit` is not `Clone`. The clones of the buffer share it.
    let service = ServiceBuilder::new()
        .buffer::<Bid>(4)
        .rate_limit(2, period)
        .service(site.client().await.service::<Bid>());
    let began = Instant::now();
    for attempt in 1..=3 {
        let price = service.clone().oneshot(bid(1)).await.unwrap();
        assert_eq!(price.attempt, attempt);
    }
    assert!(began.elapsed() >= period);
}

#[tokio::test]
async fn load_shed_fails_at_once_without_a_connection_or_beyond_a_limit() {
    let (port, world) = (Port::new(), World::default());
    let client = hasty(port.url("name=bot")).start().unwrap();
    let shedding = ServiceBuilder::new()
        .load_shed()
        .service(client.service::<Post>());
    let error = soon(shedding.clone().oneshot(text("early"))).await.unwrap_err();
    assert!(error.is::<Overloaded>(), "{error}");
    let server = Mortal::serve(&world, &port).await;
    client.ready().await.unwrap();
    assert_eq!(shedding.oneshot(text("late")).await.unwrap().length, 4);
    server.die().await;

    let site = Site::open([Step::Wait]).await;
    let shedding = ServiceBuilder::new()
        .load_shed()
        .concurrency_limit(1)
        .service(site.client().await.service::<Bid>());
    let mut first = shedding.clone().oneshot(bid(1));
    assert!(begins(&mut first).await);
    let error = soon(shedding.oneshot(bid(2))).await.unwrap_err();
    assert!(error.is::<Overloaded>(), "{error}");
    site.wait_for_handlers(1).await;
    site.release_one();
    assert_eq!(soon(first).await.unwrap().attempt, 1);
}

#[tokio::test]
async fn a_buffer_keeps_calls_while_there_is_no_connection_and_reports_a_closed_client() {
    let (port, world) = (Port::new(), World::default());
    let client = hasty(port.url("name=bot")).start().unwrap();
    let service = ServiceBuilder::new()
        .buffer::<Post>(4)
        .service(client.service::<Post>());
    let calls = ["one", "three"].map(|word| tokio::spawn(service.clone().oneshot(text(word))));
    let server = Mortal::serve(&world, &port).await;
    for (call, length) in calls.into_iter().zip([3, 5]) {
        assert_eq!(soon(call).await.unwrap().unwrap().length, length);
    }
    client.close().await;
    let error = soon(service.oneshot(text("late"))).await.unwrap_err();
    let cause = error.source().unwrap().downcast_ref::<CallError>();
    assert!(matches!(cause, Some(CallError::Closed)), "{error:?}");
    server.die().await;
}

#[tokio::test]
async fn spawn_ready_waits_for_the_connection_in_a_task() {
    let (port, world) = (Port::new(), World::default());
    let client = hasty(port.url("name=bot")).start().unwrap();
    let mut service = SpawnReady::new(client.service::<Post>());
    let task = Arc::new(Wakes::default());
    assert!(task.poll_ready(&mut service).is_pending());
    let server = Mortal::serve(&world, &port).await;
    let posted = soon(service.ready()).await.unwrap().call(text("x")).await;
    assert_eq!(posted.unwrap().length, 1);
    server.die().await;
}
