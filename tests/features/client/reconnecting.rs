//! Reconnecting: the decision, the backoff, and the outcome of pending calls.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::Semaphore, time::Instant};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use zocket::client::{CallError, Client, Outage, Sent, Status};

use super::{
    begins, calling,
    common::PATIENCE,
    hasty,
    servers::{Mortal, Port, drain, fake, fake_with},
    soon, status,
    world::{Posted, Said, World, text},
};

#[tokio::test]
async fn a_client_reconnects_and_settles_the_calls_in_flight() {
    let world = World::default();
    let port = Port::new();
    let server = Mortal::serve(&world, &port).await;
    let builder = hasty(port.url("name=bot")).resume(false);
    let client = builder.connect().await.unwrap();
    let before = client.client_id();
    let mut said = client.on::<Said>();
    let pending = calling::<()>(&client, "wait", ());
    world.wait_for_handler().await;
    server.die().await;
    let error = soon(pending).await.unwrap().unwrap_err();
    assert!(
        matches!(error, CallError::Disconnected { sent: Sent::Unknown }),
        "{error}"
    );
    status(&client, |status| !status.is_open()).await;

    let server = Mortal::serve(&world, &port).await;
    let posted: Posted = client.call_route("post", &text("again")).await.unwrap();
    assert_eq!(posted.length, 5);
    assert_eq!(soon(said.next()).await.unwrap().unwrap().text, "again");
    assert_ne!(client.client_id(), before);
    server.die().await;
}

#[tokio::test]
async fn calls_that_never_reached_the_server_are_reported_as_unsent() {
    let dead = Arc::new(Semaphore::new(0));
    let server = fake_with(&dead, async |socket, n, die: Arc<Semaphore>| {
        // The server does not read the first connection, which ends on the test's request.
        if n == 1 {
            die.acquire().await.unwrap().forget();
        } else {
            std::future::pending::<()>().await;
        }
        drop(socket);
    })
    .await;
    // A busy machine needs time for this amount of data.
    let client = hasty(server.url(""))
        .call_timeout(10 * PATIENCE)
        .ping(10 * PATIENCE, 10 * PATIENCE)
        .connect()
        .await
        .unwrap();
    // 64 MB exceed the sockets' buffers.
    let large = text("x".repeat(1_000_000));
    let mut calls: Vec<_> = (0..64)
        .map(|_| Box::pin(client.call_route::<()>("post", &large)))
        .collect();
    for call in &mut calls {
        assert!(begins(call).await);
        // Yields to the driver, which writes as much as the socket accepts.
        tokio::task::yield_now().await;
    }
    dead.add_permits(1);
    let mut ends = Vec::new();
    for call in calls {
        match soon(call).await {
            Err(CallError::Disconnected { sent }) => ends.push(sent),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ends.first(), Some(&Sent::Unknown));
    assert_eq!(ends.last(), Some(&Sent::No));
    assert!(
        ends.is_sorted_by_key(|sent| *sent == Sent::No),
        "in order: {ends:?}"
    );
}

/// Returns the outage after a close with this code, and true if it is final.
async fn closed_with(code: u16) -> (bool, Outage) {
    let server = fake(move |mut socket, _| async move {
        let close = CloseFrame {
            code: code.into(),
            reason: "because".into(),
        };
        socket.close(Some(close)).await.unwrap();
        drain(socket).await;
    })
    .await;
    let client = Client::builder(server.url(""))
        .reconnect_on(4100..=4199)
        .start()
        .unwrap();
    let decided = |status: &Status| matches!(status, Status::Waiting { .. } | Status::Closed(_));
    match status(&client, decided).await {
        Status::Waiting { outage, .. } => (false, outage),
        Status::Closed(outage) => (true, outage),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_close_code_decides_whether_to_reconnect() {
    for (code, is_final) in [
        (1000, false),
        (1001, false),
        (1011, false),
        (3002, false),
        (4100, false),
        (1002, false),
        (1009, false),
        (1008, true),
        (3500, true),
        (4000, true),
    ] {
        let (was_final, outage) = closed_with(code).await;
        assert_eq!(was_final, is_final, "{outage}");
        assert!(matches!(outage, Outage::Closed { code: c, reason } if c == code && reason == "because"));
    }
}

#[tokio::test(start_paused = true)]
async fn backoff_grows_until_it_is_reset() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let noting = times.clone();
    let (floor, cap) = (Duration::from_secs(1), Duration::from_secs(10));
    let client = Client::builder("ws://127.0.0.1:1")
        .backoff(floor, cap)
        .headers_with(move || {
            noting.lock().unwrap().push(Instant::now());
            async { Err::<(), _>("no".into()) }
        })
        .start()
        .unwrap();
    let after = |attempts| move |status: &Status| matches!(status, Status::Waiting { attempts: n, .. } if *n == attempts);
    let mut statuses = client.statuses();
    statuses.wait_for(after(40)).await.unwrap();
    let gaps: Vec<_> = times
        .lock()
        .unwrap()
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect();
    // Timers round up to the next millisecond.
    let tick = Duration::from_millis(1);
    for (n, gap) in (1..).zip(&gaps) {
        let ceiling = cap.min(floor * 2_u32.pow(n.min(10)));
        assert!((floor..=ceiling + tick).contains(gap), "{n}: {gap:?}");
    }
    assert_eq!(gaps.len(), 39);
    assert!(gaps.iter().any(|gap| *gap > Duration::from_secs(5)), "{gaps:?}");
    // Above the tenth, the ceiling is the cap, and each wait is random.
    assert!(gaps[10..].iter().any(|gap| *gap != gaps[10]), "{gaps:?}");
    // `reconnect()` ends the wait at once, and resets the backoff to its floor.
    let asked = Instant::now();
    client.reconnect();
    statuses.wait_for(after(1)).await.unwrap();
    assert_eq!(*times.lock().unwrap().last().unwrap(), asked);
}

#[tokio::test]
async fn a_short_connection_does_not_reset_the_backoff() {
    async fn after_five_breaks(proven_after: Duration, attempts: impl Fn(u32) -> bool) {
        let breaks = Arc::new(Semaphore::new(0));
        let server = fake_with(&breaks, async |socket, _, breaks: Arc<Semaphore>| {
            breaks.add_permits(1);
            drop(socket);
        })
        .await;
        let client = hasty(server.url("")).proven_after(proven_after).start().unwrap();
        soon(breaks.acquire_many(5)).await.unwrap().forget();
        status(
            &client,
            |status| matches!(status, Status::Waiting { attempts: n, .. } if attempts(*n)),
        )
        .await;
    }
    after_five_breaks(10 * PATIENCE, |attempts| attempts > 5).await;
    after_five_breaks(Duration::ZERO, |attempts| {
        assert_eq!(attempts, 1);
        true
    })
    .await;
}
