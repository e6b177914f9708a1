//! A service's readiness: the state of its client's connection.

use std::{
    future::{Future, poll_fn},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tower::{Service, ServiceBuilder, ServiceExt, timeout::error::Elapsed};
use zocket::client::{CallError, CallOptions, CallService, Sent};

use super::{
    super::{
        common::until,
        hasty,
        servers::{Mortal, Port, refusing},
        soon, status,
        world::{Post, World, text},
    },
    site::{Bid, Site, Wakes, bid},
};

/// Polls readiness in a task of its own. Returns true if the client is closed.
fn is_closed<S: Service<R, Error = CallError>, R>(service: &mut S) -> bool {
    let polled = Arc::new(Wakes::default()).poll_ready(service);
    matches!(polled, Poll::Ready(Err(CallError::Closed)))
}

#[tokio::test]
async fn a_service_is_ready_while_there_is_a_connection_and_wakes_whoever_waits() {
    let (port, world) = (Port::new(), World::default());
    // The port accepts no handshake before there is a server.
    let client = hasty(port.url("name=bot")).start().unwrap();
    let mut service = client.service::<Post>();
    let mut clone = service.clone();
    let tasks = [(); 3].map(|()| Arc::new(Wakes::default()));
    assert!(tasks[0].poll_ready(&mut service).is_pending());
    // Another task has taken the service over.
    assert!(tasks[1].poll_ready(&mut service).is_pending());
    assert!(tasks[2].poll_ready(&mut clone).is_pending());
    let pending = service.clone();
    let waiting = tokio::spawn(pending.oneshot(text("waited")));

    let server = Mortal::serve(&world, &port).await;
    status(&client, |status| status.is_open()).await;
    until(|| tasks[1].count() > 0 && tasks[2].count() > 0).await;
    assert_eq!(tasks[0].count(), 0, "only the last task waits");
    for service in [&mut service, &mut clone] {
        assert!(matches!(tasks[0].poll_ready(service), Poll::Ready(Ok(()))));
    }
    assert_eq!(soon(waiting).await.unwrap().unwrap().length, 6);

    server.die().await;
    status(&client, |status| !status.is_open()).await;
    assert!(tasks[0].poll_ready(&mut service).is_pending());
    let server = Mortal::serve(&world, &port).await;
    let posted = soon(service.ready()).await.unwrap().call(text("again")).await;
    assert_eq!(posted.unwrap().length, 5);
    server.die().await;
}

#[tokio::test]
async fn the_calls_of_a_service_that_is_always_ready_wait_for_the_connection() {
    let (port, world) = (Port::new(), World::default());
    let client = hasty(port.url("name=bot")).start().unwrap();
    let service = client.service::<Post>().always_ready();
    let mut clone = service.clone();
    assert!(matches!(
        Arc::new(Wakes::default()).poll_ready(&mut clone),
        Poll::Ready(Ok(()))
    ));

    let brief = Duration::from_millis(20);
    let limited = ServiceBuilder::new().timeout(brief).service(service.clone());
    let error = soon(limited.oneshot(text("late"))).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
    let limited = service
        .clone()
        .with_options(CallOptions::default().timeout(brief));
    let error = soon(limited.oneshot(text("late"))).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { sent: Sent::No }), "{error}");

    let mut waiting = Box::pin(service.clone().oneshot(text("waited")));
    assert!(
        poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx)))
            .await
            .is_pending()
    );
    let server = Mortal::serve(&world, &port).await;
    assert_eq!(soon(waiting).await.unwrap().length, 6);
    server.die().await;

    client.close().await;
    assert!(matches!(
        Arc::new(Wakes::default()).poll_ready(&mut clone),
        Poll::Ready(Ok(()))
    ));
    let error = soon(clone.call(text("closed"))).await.unwrap_err();
    assert!(matches!(error, CallError::Closed), "{error}");
}

#[tokio::test]
async fn a_service_that_waits_is_woken_by_nothing_but_a_status() {
    let port = Port::new();
    let client = hasty(port.url("")).start().unwrap();
    // The attempt has begun, and hangs, since nothing accepts it.
    client.statuses().changed().await;
    let (mut service, task) = (client.service::<Bid>(), Arc::new(Wakes::default()));
    for _ in 0..100 {
        assert!(task.poll_ready(&mut service).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(task.count(), 0);
}

#[tokio::test]
async fn a_closed_client_fails_each_time() {
    let site = Site::open([]).await;
    let client = site.client().await;
    let mut service = client.service::<Bid>();
    service.ready().await.unwrap();
    client.close().await;
    for _ in 0..2 {
        assert!(is_closed(&mut service));
        assert!(is_closed(&mut client.service::<Bid>()));
        let error = service.call(bid(1)).await.unwrap_err();
        assert!(matches!(error, CallError::Closed), "{error}");
    }
    assert_eq!(site.begun(), 0);
}

#[tokio::test]
async fn a_service_that_waits_learns_that_its_client_is_closed() {
    let port = Port::new();
    let client = hasty(port.url("")).start().unwrap();
    let mut service = client.service::<Bid>();
    let task = Arc::new(Wakes::default());
    assert!(task.poll_ready(&mut service).is_pending());
    client.close().await;
    until(|| task.count() > 0).await;
    assert!(is_closed(&mut service));
}

#[tokio::test]
async fn a_final_outage_fails_as_a_closed_client() {
    let (server, _) = refusing("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
    let client = hasty(server.url("")).start().unwrap();
    let error = soon(client.service::<Bid>().oneshot(bid(1))).await.unwrap_err();
    assert!(matches!(error, CallError::Closed), "{error}");
}

#[tokio::test]
async fn the_end_of_the_clients_runtime_fails_as_a_closed_client() {
    let port = Port::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut service: CallService<Bid> = {
        let _within = runtime.enter();
        hasty(port.url("")).start().unwrap().service()
    };
    let mut waiting = service.clone();
    let task = Arc::new(Wakes::default());
    assert!(task.poll_ready(&mut waiting).is_pending());
    runtime.shutdown_background();
    let error = soon(service.ready()).await.err().unwrap();
    assert!(matches!(error, CallError::Closed), "{error}");
    until(|| task.count() > 0).await;
    assert!(is_closed(&mut waiting));
}
