//! Acknowledgements, and the bounds of what is kept.

use std::{hash::Hash, time::Duration};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use zocket::{Context, Delivery, Limits, Outgoing, Reason, Zocket};

use super::{
    app::{Tick, start},
    peer::{Broken, Peer, read},
};
use crate::common::until;

#[tokio::test(start_paused = true)]
async fn the_server_acknowledges_once_in_each_interval() {
    let (_, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    for n in 1..=3 {
        ann.call("add", json!(n), n).await;
        assert_eq!(ann.next().await["rpcId"], n);
    }
    let began = tokio::time::Instant::now();
    let ack = read(ann.socket.as_mut().unwrap()).await;
    assert_eq!(ack, Ok(json!({"type": "__ack", "payload": 3})));
    let waited = began.elapsed();
    assert!(
        (Duration::from_millis(900)..Duration::from_millis(1_100)).contains(&waited),
        "{waited:?}"
    );
    // Without further messages, nothing is acknowledged.
    let more = tokio::time::timeout(Duration::from_secs(10), read(ann.socket.as_mut().unwrap())).await;
    assert!(more.is_err());
}

#[tokio::test]
async fn the_server_acknowledges_past_a_quarter_of_the_record() {
    let (_, _, service) = start(Limits::default().record(4_000));
    let mut ann = Peer::connected(&service, "").await;
    for n in 1..=20 {
        ann.write(&json!({"type": "add", "payload": n})).await;
        ann.sent += 1;
    }
    // About 90 bytes each.
    let ack = read(ann.socket.as_mut().unwrap()).await.unwrap();
    assert_eq!(ack["type"], "__ack");
    assert!((8..=12).contains(&ack["payload"].as_u64().unwrap()), "{ack}");
}

#[tokio::test]
async fn an_impossible_acknowledgement_ends_the_session() {
    let payloads = [
        json!(1),
        json!(-1),
        json!(0.5),
        json!("0"),
        json!(null),
        json!(1e300),
        json!([0]),
    ];
    for payload in payloads.into_iter().map(Some).chain([None]) {
        let (world, _, service) = start(Limits::default());
        let mut ann = Peer::connected(&service, "").await;
        let mut ack = json!({"type": "__ack"});
        if let Some(payload) = &payload {
            ack["payload"] = payload.clone();
        }
        ann.write(&ack).await;
        assert_eq!(
            ann.closed().await,
            Broken::Closed(1008, "bad-ack".to_owned()),
            "{payload:?}"
        );
        ann.cut();
        world.until_departed(1).await;
        assert!(!ann.connect().await);
    }
}

#[tokio::test]
async fn an_earlier_acknowledgement_is_ignored() {
    let (_, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    for n in 0..3 {
        zo.emitter().send(Tick(n)).to_room("lobby").unwrap();
        ann.next().await;
    }
    for n in [3, 1, 0, 3] {
        ann.write(&json!({"type": "__ack", "payload": n})).await;
    }
    ann.ping().await;
    ann.cut();
    assert!(ann.connect().await);
}

#[tokio::test]
async fn a_session_whose_record_overflowed_is_not_resumed_until_everything_is_acknowledged() {
    let (world, zo, service) = start(Limits::default().record(1_000));
    let mut ann = Peer::connected(&service, "").await;
    let tick = async |ann: &mut Peer, n: u64| {
        zo.emitter().send(Tick(n)).to_room("lobby").unwrap();
        assert_eq!(ann.next().await["payload"], n);
    };
    // About 90 bytes each.
    for n in 0..20 {
        tick(&mut ann, n).await;
    }
    ann.acknowledge().await;
    ann.ping().await;
    ann.cut();
    assert!(ann.connect().await, "everything was acknowledged");
    ann.acknowledges = false;
    for n in 0..20 {
        tick(&mut ann, n).await;
    }
    ann.ping().await;
    ann.cut();
    assert!(!ann.connect().await);
    assert_eq!(
        world.departed()[0].1,
        Reason::Expired,
        "the old session ended first"
    );
    assert_eq!(world.connected(), 2);
}

#[tokio::test]
async fn what_a_parked_session_receives_is_bounded() {
    let (world, zo, service) = start(Limits::default().outbound(10_000).message(1_000));
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    ann.close(1001, "").await;
    let mut sent = 0;
    while world.departed().is_empty() {
        zo.emitter().send(Tick(sent)).to_room("lobby").unwrap();
        sent += 1;
        assert!(sent < 10_000, "no bound");
        tokio::task::yield_now().await;
    }
    assert!(sent > 50, "{sent}");
    assert_eq!(world.departed()[0].1, Reason::SlowReader);
    assert!(!ann.connect().await);
}

#[tokio::test]
async fn a_parked_session_does_not_hold_up_its_rooms() {
    let limits = Limits::default().room_backlog(20_000);
    let (_, zo, service) = start(limits);
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    ann.close(1001, "").await;
    let mut bob = Peer::connected(&service, "").await;
    for n in 0..500 {
        zo.emitter().send(Tick(n)).to_room("lobby").unwrap();
        assert_eq!(bob.next().await["payload"], n);
        if n % 50 == 0 {
            bob.acknowledge().await;
        }
    }
    assert!(ann.connect().await);
    for n in 0..500 {
        assert_eq!(ann.next().await["payload"], n);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stalls_is_parked_with_what_it_lacks() {
    let (_, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    let text = "x".repeat(10_000);
    // More than the pipe takes.
    for _ in 0..20 {
        zo.emitter()
            .send(super::app::Text(text.clone()))
            .to_room("lobby")
            .unwrap();
    }
    tokio::time::sleep(Limits::default().write_within + Duration::from_secs(5)).await;
    // What arrived before the server dropped the socket is read, the rest comes over the next one.
    let mut came = 0;
    while ann.try_next().await.is_ok() {
        came += 1;
    }
    assert!((1..20).contains(&came), "{came}");
    assert!(ann.connect().await);
    while came < 20 {
        assert_eq!(ann.next().await["payload"], Value::from(text.clone()));
        came += 1;
    }
    ann.ping().await;
    assert_eq!(ann.received, 20);
}

#[tokio::test]
async fn a_replay_is_not_taken_for_a_slow_reader() {
    let limits = Limits::default().outbound(50_000).message(10_000).record(100_000);
    let (_, zo, service) = start(limits);
    let mut ann = Peer::connected(&service, "").await;
    let send = |n: u64| {
        let text = format!("{n:.<5000}");
        zo.emitter()
            .send(super::app::Text(text))
            .to_room("lobby")
            .unwrap();
    };
    for n in 0..15 {
        send(n);
        ann.next().await;
    }
    ann.cut();
    // Together with what waits, the record is larger than what may wait.
    for n in 15..20 {
        send(n);
    }
    ann.received = 0;
    ann.acknowledges = false;
    assert!(ann.connect().await);
    for n in 0..20 {
        let text = ann.next().await;
        assert!(text["payload"].as_str().unwrap().starts_with(&n.to_string()));
    }
    until(|| zo.connections() == 1).await;
}

/// State of a cursor, of which only the newest counts.
#[derive(Serialize, JsonSchema)]
struct Cursor(u64, u64);

impl Outgoing for Cursor {
    const TYPE: &'static str = "cursor";
    const DELIVERY: Delivery = Delivery::Latest;

    fn delivery_key(&self) -> impl Hash {
        self.0
    }
}

/// A sign that nobody misses.
#[derive(Serialize, JsonSchema)]
struct Blink(u64);

impl Outgoing for Blink {
    const TYPE: &'static str = "blink";
    const DELIVERY: Delivery = Delivery::Volatile;
}

#[tokio::test]
async fn a_parked_session_drops_volatile_events_and_replaces_latest_ones() {
    let zo = Zocket::builder()
        .on_open(async |cx: Context| cx.rooms().join("lobby"))
        .build();
    let router = zo
        .router()
        .outgoing::<Tick>()
        .outgoing::<Cursor>()
        .outgoing::<Blink>();
    let service = zo.serve(router);
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    ann.close(1001, "").await;
    let emitter = zo.emitter();
    for n in 0..100 {
        emitter.send(Cursor(n % 2, n)).to_room("lobby").unwrap();
        emitter.send(Blink(n)).to_room("lobby").unwrap();
        if n % 40 == 0 {
            emitter.send(Tick(n)).to_room("lobby").unwrap();
        }
        // The session reads them one by one.
        tokio::task::yield_now().await;
    }
    assert!(ann.connect().await);
    let mut came = Vec::new();
    for _ in 0..5 {
        let frame = ann.next().await;
        came.push((
            frame["type"].as_str().unwrap().to_owned(),
            frame["payload"].clone(),
        ));
    }
    let event = |name: &str, payload| (name.to_owned(), payload);
    let expected = [
        event("tick", json!(0)),
        event("tick", json!(40)),
        event("tick", json!(80)),
        event("cursor", json!([0, 98])),
        event("cursor", json!([1, 99])),
    ];
    assert_eq!(came, expected);
    ann.ping().await;
    assert_eq!(ann.received, 5, "nothing else came");
}
