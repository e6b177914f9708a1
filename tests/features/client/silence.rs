//! Silent servers, and servers that answer pings.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use zocket::client::{CallError, CallOptions, Client, Outage, Status};

use super::{
    common::{PATIENCE, until},
    hasty,
    servers::{ServerSide, fake_welcoming, fake_with},
    waiting,
};

const PING: &str = r#"{"type":"__ping"}"#;

/// Answers pings, and counts them.
async fn answer_pings(mut socket: ServerSide, seen: Arc<AtomicU32>) {
    while let Some(Ok(message)) = socket.next().await {
        if message == Message::text(PING) {
            seen.fetch_add(1, Ordering::SeqCst);
            socket.send(Message::text(r#"{"type":"__pong"}"#)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_silent_server_is_pinged_and_then_disconnected() {
    let pings = Arc::new(AtomicU32::new(0));
    let server = fake_with(&pings, async |mut socket: ServerSide, n, seen: Arc<AtomicU32>| {
        if n > 1 {
            return std::future::pending().await;
        }
        while let Some(Ok(message)) = socket.next().await {
            seen.fetch_add(u32::from(message == Message::text(PING)), Ordering::SeqCst);
        }
    })
    .await;
    let builder = hasty(server.url("")).ping(Duration::from_millis(20), Duration::from_millis(20));
    let client = builder
        .backoff(Duration::from_secs(60), Duration::from_secs(60))
        .connect()
        .await
        .unwrap();
    let waiting = waiting(&client).await;
    assert!(
        matches!(
            waiting,
            Status::Waiting {
                outage: Outage::Silent,
                ..
            }
        ),
        "{waiting:?}"
    );
    until(|| pings.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn the_welcome_sets_the_silence_before_a_ping() {
    let welcome = json!({ "limits": { "message": 1 << 20 }, "heartbeatMs": 5 });
    let pings = Arc::new(AtomicU32::new(0));
    let server = fake_welcoming(welcome, &pings, |socket, _, seen| answer_pings(socket, seen)).await;
    let client = hasty(server.url("")).connect().await.unwrap();
    until(|| pings.load(Ordering::SeqCst) >= 3).await;
    assert!(client.status().is_open());
}

#[tokio::test]
async fn a_server_that_answers_pings_stays_connected() {
    let pings = Arc::new(AtomicU32::new(0));
    let server = fake_with(&pings, |socket, _, seen| answer_pings(socket, seen)).await;
    let builder = Client::builder(server.url("")).ping(Duration::from_millis(5), PATIENCE * 2);
    let client = builder.connect().await.unwrap();
    let id = client.client_id();
    until(|| pings.load(Ordering::SeqCst) >= 3).await;
    assert_eq!(client.client_id(), id);
}

#[tokio::test]
async fn a_call_that_times_out_is_followed_by_a_ping() {
    let pings = Arc::new(AtomicU32::new(0));
    let server = fake_with(&pings, |socket, _, seen| answer_pings(socket, seen)).await;
    let client = hasty(server.url("")).connect().await.unwrap();
    let impatient = CallOptions::default().timeout(Duration::from_millis(20));
    for _ in 0..2 {
        let before = pings.load(Ordering::SeqCst);
        let error = client
            .call_route_with::<()>("post", &(), impatient)
            .await
            .unwrap_err();
        assert!(matches!(error, CallError::Timeout { .. }), "{error}");
        until(|| pings.load(Ordering::SeqCst) > before).await;
    }
    assert!(client.status().is_open());
}
