//! Messages that were read before the peer's Close.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::sync::Notify;
use zocket::{ClientId, Context, Error, Limits, NoHeaders, Zocket};

use crate::common::{
    Server,
    raw::{CLOSE, FIN, PING, PONG, Raw, TEXT, frame},
    serve, until,
};

type Gate = Arc<Notify>;

async fn site(limits: Limits, concurrency: usize) -> (Zocket<Gate>, Server, Gate) {
    let gate = Gate::default();
    let zo = Zocket::builder()
        .on_connect_with(gate.clone(), async |gate: Gate, _: NoHeaders, _: ClientId| {
            Ok(gate)
        })
        .limits(limits)
        .concurrency(concurrency)
        .build();
    let router = zo
        .router()
        .incoming("quick", zo.message().handle(async |_: Context<Gate>| Ok(())))
        .incoming(
            "yields",
            zo.message().handle(async |_: Context<Gate>| {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                Ok(())
            }),
        )
        .incoming(
            "sleeps",
            zo.message().handle(async |_: Context<Gate>| {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(())
            }),
        )
        .incoming(
            "fails",
            zo.message().handle(async |_: Context<Gate>| {
                tokio::task::yield_now().await;
                Err::<(), _>(Error::conflict("no"))
            }),
        )
        .incoming(
            "waits",
            zo.message().handle(async |cx: Context<Gate>| {
                cx.notified().await;
                Ok(())
            }),
        )
        .incoming(
            "until.closed",
            zo.message().handle(async |cx: Context<Gate>| {
                cx.closed().await;
                Ok(())
            }),
        )
        .incoming(
            "overtaken",
            zo.message().concurrent().handle(async |cx: Context<Gate>| {
                cx.notified().await;
                Ok(())
            }),
        );
    let server = serve(zo.serve(router)).await;
    (zo, server, gate)
}

fn call(route: &str, id: usize) -> Vec<u8> {
    let call = json!({ "type": route, "rpcId": id });
    frame(FIN | TEXT, call.to_string().as_bytes())
}

fn close() -> Vec<u8> {
    frame(FIN | CLOSE, &1000_u16.to_be_bytes())
}

/// Reads the ids of the answers before the server's Close. Returns them with the Close's code.
async fn answers(raw: &mut Raw) -> (Vec<u64>, u16) {
    let mut ids = Vec::new();
    loop {
        let (first, payload) = raw.read_frame().await.unwrap();
        if first == FIN | CLOSE {
            return (ids, u16::from_be_bytes([payload[0], payload[1]]));
        }
        let answer: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        ids.push(answer["rpcId"].as_u64().unwrap());
    }
}

#[tokio::test]
async fn messages_before_a_close_are_answered_before_it() {
    for concurrency in [1, 4] {
        for route in ["quick", "yields", "sleeps", "fails", "nowhere", "until.closed"] {
            for count in [1, 3, 70] {
                let (_, server, _) = site(Limits::default(), concurrency).await;
                let mut raw = server.raw().await;
                let mut bytes: Vec<u8> = (0..count).flat_map(|id| call(route, id)).collect();
                bytes.extend(close());
                raw.write(&bytes).await;
                let (mut ids, code) = answers(&mut raw).await;
                ids.sort_unstable();
                let all: Vec<u64> = (0..count as u64).collect();
                assert_eq!((ids, code), (all, 1000), "{count} of {route}");
                raw.hung_up().await;
            }
        }
    }
}

#[tokio::test]
async fn every_one_of_fifty_connections_is_answered() {
    let (_, server, _) = site(Limits::default(), 1).await;
    for _ in 0..50 {
        let mut raw = server.raw().await;
        raw.write(&[call("quick", 7), close()].concat()).await;
        assert_eq!(answers(&mut raw).await, (vec![7], 1000));
    }
}

#[tokio::test]
async fn a_pong_stands_before_the_answer_and_the_close_last() {
    let (_, server, gate) = site(Limits::default(), 1).await;
    let mut raw = server.raw().await;
    let bytes = [call("waits", 1), frame(FIN | PING, b"a"), close()].concat();
    raw.write(&bytes).await;
    assert_eq!(raw.read_frame().await.unwrap(), (FIN | PONG, b"a".to_vec()));
    gate.notify_one();
    assert_eq!(answers(&mut raw).await, (vec![1], 1000));
}

#[tokio::test]
async fn a_message_that_takes_too_long_does_not_hold_back_the_close() {
    let limits = Limits::default().close_within(Duration::from_millis(100));
    let (zo, server, gate) = site(limits, 1).await;
    let mut raw = server.raw().await;
    let bytes = [call("quick", 1), call("waits", 2), call("quick", 3), close()].concat();
    raw.write(&bytes).await;
    assert_eq!(answers(&mut raw).await, (vec![1], 1000));
    // The messages that were read are handled all the same.
    assert_eq!(zo.connections(), 1);
    gate.notify_one();
    until(|| zo.connections() == 0).await;
}

#[tokio::test]
async fn a_close_overtakes_messages_of_concurrent_routes() {
    let (zo, server, gate) = site(Limits::default(), 1).await;
    let mut raw = server.raw().await;
    let bytes = [call("overtaken", 1), call("sleeps", 2), close()].concat();
    raw.write(&bytes).await;
    assert_eq!(answers(&mut raw).await, (vec![2], 1000));
    gate.notify_one();
    until(|| zo.connections() == 0).await;
}

#[tokio::test]
async fn messages_before_a_violation_are_answered_before_its_close() {
    let (_, server, _) = site(Limits::default().message(1_000), 1).await;
    let too_large = frame(FIN | TEXT, &[b'x'; 2_000]);
    for (violation, code) in [(frame(0x70 | FIN | TEXT, b"a"), 1002), (too_large, 1009)] {
        let mut raw = server.raw().await;
        raw.write(&[call("sleeps", 1), call("yields", 2), violation].concat())
            .await;
        assert_eq!(answers(&mut raw).await, (vec![1, 2], code));
    }
}

#[tokio::test]
async fn a_close_without_messages_is_answered_at_once() {
    let limits = Limits::default().close_within(Duration::from_secs(3600));
    let (_, server, _) = site(limits, 1).await;
    for payload in [&[][..], &1000_u16.to_be_bytes(), b"\x0f\xa0bye"] {
        let mut raw = server.raw().await;
        raw.write(&frame(FIN | CLOSE, payload)).await;
        assert_eq!(raw.read_frame().await.unwrap(), (FIN | CLOSE, payload.to_vec()));
        raw.hung_up().await;
    }
}
