//! Silent servers, and servers that answer pings.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use serde_json::json;
use tokio::io::AsyncReadExt;
use zocket::client::{Client, Outage, Status};

use super::{
    common::{PATIENCE, until},
    hasty,
    servers::{ServerSide, fake_welcoming, fake_with},
    waiting,
};

#[tokio::test]
async fn a_silent_server_is_pinged_and_then_disconnected() {
    let pings = Arc::new(AtomicU32::new(0));
    let server = fake_with(&pings, async |socket, n, seen: Arc<AtomicU32>| {
        if n > 1 {
            return std::future::pending().await;
        }
        // On the level of bytes, since a WebSocket library would answer the ping.
        let mut raw = socket.into_inner();
        let first = raw.read_u8().await.unwrap();
        seen.fetch_add(u32::from(first == 0x89), Ordering::SeqCst);
        while raw.read_u8().await.is_ok() {}
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
    let behave = async |mut socket: ServerSide, _, seen: Arc<AtomicU32>| {
        while let Some(Ok(message)) = socket.next().await {
            seen.fetch_add(u32::from(message.is_ping()), Ordering::SeqCst);
        }
    };
    let server = fake_welcoming(welcome, &pings, behave).await;
    let client = hasty(server.url("")).connect().await.unwrap();
    until(|| pings.load(Ordering::SeqCst) >= 3).await;
    assert!(client.status().is_open());
}

#[tokio::test]
async fn a_server_that_answers_pings_stays_connected() {
    let pings = Arc::new(AtomicU32::new(0));
    let server = fake_with(&pings, async |mut socket, _, seen: Arc<AtomicU32>| {
        while let Some(Ok(message)) = socket.next().await {
            seen.fetch_add(u32::from(message.is_ping()), Ordering::SeqCst);
        }
    })
    .await;
    let builder = Client::builder(server.url("")).ping(Duration::from_millis(5), PATIENCE * 2);
    let client = builder.connect().await.unwrap();
    let id = client.client_id();
    until(|| pings.load(Ordering::SeqCst) >= 3).await;
    assert_eq!(client.client_id(), id);
}
