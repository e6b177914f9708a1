//! Clients that read slowly: the deliveries of events, and sockets that accept nothing.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{collections::BTreeMap, hash::Hash, time::Duration};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, DuplexStream},
    sync::mpsc,
    task::yield_now,
    time::sleep,
};
use zocket::{Context, Delivery, Limits, Outgoing, Reason, UpgradeService, Zocket};

use crate::common::{Client, connect_in_memory, until};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Serialize, JsonSchema)]
struct Said(String);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// A member types. The text makes it large.
#[derive(Serialize, JsonSchema)]
struct Typing(String);

impl Outgoing for Typing {
    const TYPE: &'static str = "typing";
    const DELIVERY: Delivery = Delivery::Volatile;
}

#[derive(Serialize, JsonSchema)]
struct Moved {
    player: u32,
    x: u32,
}

impl Outgoing for Moved {
    const TYPE: &'static str = "moved";
    const DELIVERY: Delivery = Delivery::Latest;

    fn delivery_key(&self) -> impl Hash {
        self.player
    }
}

/// Returns an app that passes the reason of each end on.
fn app() -> (Zocket, UpgradeService, mpsc::Receiver<Reason>) {
    let (sender, reasons) = mpsc::channel(1);
    // No peer answers a ping here.
    let limits = Limits::default().ping_after(Duration::from_secs(3_600));
    let zo = Zocket::builder()
        .limits(limits)
        .on_disconnect(move |_: Context<()>, reason: Reason| {
            let sender = sender.clone();
            async move { sender.send(reason).await.unwrap() }
        })
        .build();
    let router = zo.router().outgoing::<Said>().outgoing::<Typing>();
    let service = zo.serve(router.outgoing::<Moved>());
    (zo, service, reasons)
}

async fn connect(zo: &Zocket, service: &UpgradeService) -> Client<DuplexStream> {
    let client = connect_in_memory(service, "").await.unwrap();
    until(|| zo.contexts().len() == 1).await;
    client
}

// Paused: on a busy machine, this takes longer than a socket may accept nothing.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_receives_reliable_events_and_the_latest_and_is_not_closed() {
    const ROUNDS: u32 = 2_000;
    let (zo, service, _reasons) = app();
    let mut client = connect(&zo, &service).await;
    let emitter = zo.emitter();
    // 20 MB of volatile events, of which the pipe holds 64 KiB.
    for round in 0..ROUNDS {
        let (player, x) = (round % 10, round);
        emitter.send(Typing("x".repeat(10_000))).broadcast().unwrap();
        emitter.send(Moved { player, x }).broadcast().unwrap();
        if round % 100 == 0 {
            emitter.send(Said(round.to_string())).broadcast().unwrap();
        }
        yield_now().await;
    }
    emitter.send(Said("end".to_owned())).broadcast().unwrap();
    let (mut said, mut typing, mut moved) = (Vec::new(), 0, BTreeMap::new());
    loop {
        let event = client.next().await;
        let payload = &event["payload"];
        match event["type"].as_str().unwrap() {
            "typing" => typing += 1,
            "moved" => {
                let x = payload["x"].as_u64().unwrap();
                let before = moved.insert(payload["player"].as_u64().unwrap(), x);
                assert!(before < Some(x));
            }
            _ if payload == "end" => break,
            _ => said.push(payload.as_str().unwrap().to_owned()),
        }
    }
    let expected: Vec<_> = (0..ROUNDS).step_by(100).map(|round| round.to_string()).collect();
    assert_eq!(said, expected);
    let latest: Vec<_> = moved.into_values().collect();
    assert_eq!(
        latest,
        (u64::from(ROUNDS) - 10..u64::from(ROUNDS)).collect::<Vec<_>>()
    );
    assert!(typing < 50, "{typing}");
    // It keeps up now, so it receives volatile events.
    for _ in 0..10 {
        emitter.send(Typing(String::new())).broadcast().unwrap();
        client.event("typing").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_accepts_nothing_is_dropped_without_a_close() {
    let (zo, service, mut reasons) = app();
    let mut client = connect(&zo, &service).await;
    let text = "x".repeat(900_000);
    zo.emitter().send(Said(text)).broadcast().unwrap();
    sleep(9 * SECOND).await;
    assert_eq!(zo.connections(), 1);
    sleep(2 * SECOND).await;
    assert_eq!(reasons.recv().await, Some(Reason::Unwritable));
    // The pipe holds the beginning of the frame, and no Close.
    let mut written = Vec::new();
    client.socket.get_mut().read_to_end(&mut written).await.unwrap();
    assert_eq!(written.len(), 1 << 16);
    assert!(written.ends_with(b"xxxxxxxx"));
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_accepts_a_little_now_and_then_is_not_dropped() {
    let (zo, service, mut reasons) = app();
    let mut client = connect(&zo, &service).await;
    let text = "x".repeat(900_000);
    zo.emitter().send(Said(text)).broadcast().unwrap();
    for _ in 0..20 {
        sleep(9 * SECOND).await;
        client.socket.get_mut().read_exact(&mut [0; 10]).await.unwrap();
    }
    assert_eq!(zo.connections(), 1);
    sleep(11 * SECOND).await;
    assert_eq!(reasons.recv().await, Some(Reason::Unwritable));
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_has_accepted_everything_may_stay_idle() {
    let (zo, service, mut reasons) = app();
    let mut client = connect(&zo, &service).await;
    zo.emitter().send(Said("x".repeat(900_000))).broadcast().unwrap();
    sleep(9 * SECOND).await;
    client.event("said").await;
    sleep(60 * SECOND).await;
    assert_eq!((zo.connections(), reasons.try_recv().is_err()), (1, true));
}
