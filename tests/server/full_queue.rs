//! Control frames behind a full queue of messages.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::timeout};
use tokio_tungstenite::tungstenite::Message;
use zocket::{ClientId, Context, Limits, NoHeaders, Zocket};

use crate::{
    common::{
        Client, PATIENCE, Server,
        raw::{CLOSE, FIN, PING, PONG, TEXT, frame},
        serve, until,
    },
    extended::offer,
};

type Gate = Arc<Notify>;

async fn site(limits: Limits) -> (Zocket<Gate>, Server, Gate) {
    let gate = Gate::default();
    let zo = Zocket::builder()
        .on_connect_with(gate.clone(), async |gate: Gate, _: NoHeaders, _: ClientId| {
            Ok(gate)
        })
        .limits(limits)
        .build();
    let router = zo
        .router()
        .incoming(
            "slow",
            zo.message().handle(async |cx: Context<Gate>| {
                cx.notified().await;
                Ok(())
            }),
        )
        .incoming("quick", zo.message().handle(async |_: Context<Gate>| Ok(())));
    let server = serve(zo.serve(router)).await;
    (zo, server, gate)
}

/// Begins a slow call, and queues `count` quick ones with a payload of `size` bytes behind it.
async fn fill(client: &mut Client, count: usize, size: usize) -> Vec<Value> {
    let mut ids = vec![client.begin("slow", Value::Null).await];
    for _ in 0..count {
        ids.push(client.begin("quick", json!("x".repeat(size))).await);
    }
    ids
}

#[tokio::test]
async fn a_ping_of_the_protocol_passes_a_full_queue() {
    // The last one fills the queue by its bytes.
    for (queued, calls, size) in [
        (64, 64, 0),
        (64, 65, 0),
        (64, 100, 0),
        (1, 1, 0),
        (1, 2, 0),
        (64, 3, 400_000),
    ] {
        let (_, server, gate) = site(Limits::default().queued(queued)).await;
        let (mut client, _) = offer(&server, "zocket.v1.json").await;
        client.event("__welcome").await;
        let ids = fill(&mut client, calls, size).await;
        client.send(json!({ "type": "__ping" })).await;
        assert_eq!(client.next().await, json!({ "type": "__pong" }), "{calls}");
        gate.notify_one();
        for id in ids {
            assert_eq!(client.next().await["rpcId"], id);
        }
    }
}

#[tokio::test]
async fn control_frames_pass_a_full_queue() {
    let limits = Limits::default()
        .queued(2)
        .close_within(Duration::from_millis(100));
    for calls in [2, 3, 20] {
        let (zo, server, gate) = site(limits.clone()).await;
        let mut raw = server.raw().await;
        let call = |route: &str, id: usize| {
            let call = json!({ "type": route, "rpcId": id });
            frame(FIN | TEXT, call.to_string().as_bytes())
        };
        let mut bytes = call("slow", 0);
        bytes.extend((1..=calls).flat_map(|id| call("quick", id)));
        bytes.extend(frame(FIN | PING, b"well?"));
        raw.write(&bytes).await;
        assert_eq!(raw.read_frame().await.unwrap(), (FIN | PONG, b"well?".to_vec()));
        raw.write(&frame(FIN | CLOSE, &1000_u16.to_be_bytes())).await;
        assert_eq!(raw.closed().await.0, 1000);
        gate.notify_one();
        until(|| zo.connections() == 0).await;
    }
}

#[tokio::test]
async fn a_live_peer_with_a_full_queue_is_pinged_and_stays() {
    let limits = Limits::default()
        .queued(2)
        .ping_after(Duration::from_millis(50))
        .pong_within(Duration::from_millis(500));
    let (_, server, gate) = site(limits).await;
    let mut client = server.connect("").await;
    let ids = fill(&mut client, 10, 0).await;
    for _ in 0..3 {
        // Reading answers the server's ping.
        let message = timeout(PATIENCE, client.socket.next())
            .await
            .expect("no ping comes");
        assert!(matches!(message, Some(Ok(Message::Ping(_)))), "{message:?}");
    }
    gate.notify_one();
    for id in ids {
        assert_eq!(client.next().await["rpcId"], id);
    }
}

#[tokio::test]
async fn a_full_queue_still_bounds_what_is_read() {
    for size in [0, 1_000, 500_000] {
        let (_, server, gate) = site(Limits::default()).await;
        let mut client = server.connect("").await;
        client.begin("slow", Value::Null).await;
        let call = json!({ "type": "quick", "payload": "x".repeat(size) }).to_string();
        let mut sent = 0;
        // TCP's flow control stops the writer. 40 MB exceed the buffers of both sockets.
        let flood = async {
            while sent < 40_000_000 {
                client.socket.send(Message::text(call.clone())).await.unwrap();
                sent += call.len();
            }
        };
        let stopped = timeout(Duration::from_secs(3), flood).await;
        assert!(stopped.is_err(), "the server has read {sent} bytes");
        gate.notify_one();
    }
}
