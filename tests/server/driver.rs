//! The connection's driver: order, concurrency, bounds.

use std::{sync::Arc, time::Duration};

use crate::common::{self, connect_in_memory, serve, until};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, Semaphore},
    time::sleep,
};
use tower::limit::GlobalConcurrencyLimitLayer;
use zocket::{Builder, Code, Context, Error, Limits, NoHeaders, Outgoing, Zocket};

#[derive(Clone)]
struct Gates {
    slow: Arc<Notify>,
    begun: Arc<Semaphore>,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            slow: Arc::default(),
            begun: Arc::new(Semaphore::new(0)),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct Tick(String);

impl Outgoing for Tick {
    const TYPE: &'static str = "tick";
}

fn app(gates: &Gates) -> Builder<Gates, tower::layer::util::Identity> {
    Zocket::builder().on_connect_with(
        gates.clone(),
        async |gates: Gates, _: NoHeaders, _: zocket::ClientId| Ok(gates),
    )
}

/// Signals its start, and waits for its gate.
async fn slow(cx: Context<Gates>) -> Result<&'static str, Error> {
    cx.begun.add_permits(1);
    cx.slow.notified().await;
    Ok("slow")
}

async fn fast(_: Context<Gates>) -> Result<&'static str, Error> {
    Ok("fast")
}

/// Reads the next `count` answers. Returns their ids.
async fn answers(client: &mut common::Client, count: usize) -> Vec<Value> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(client.next().await["rpcId"].take());
    }
    ids
}

#[tokio::test]
async fn messages_are_handled_in_order_one_at_a_time() {
    let gates = Gates::default();
    let zo = app(&gates).build();
    let router = zo
        .router()
        .incoming("slow", zo.message().handle(slow))
        .incoming("fast", zo.message().handle(fast));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    let first = client.begin("slow", Value::Null).await;
    let second = client.begin("fast", Value::Null).await;
    gates.begun.acquire().await.unwrap().forget();
    gates.slow.notify_one();
    assert_eq!(answers(&mut client, 2).await, [first, second]);
}

#[tokio::test]
async fn a_concurrent_route_lets_the_next_message_overtake() {
    let gates = Gates::default();
    let zo = app(&gates).build();
    let router = zo
        .router()
        .incoming("slow", zo.message().concurrent().handle(slow))
        .incoming("fast", zo.message().handle(fast));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    let first = client.begin("slow", Value::Null).await;
    let second = client.begin("fast", Value::Null).await;
    assert_eq!(answers(&mut client, 1).await, [second]);
    gates.slow.notify_one();
    assert_eq!(answers(&mut client, 1).await, [first]);
}

#[tokio::test]
async fn concurrency_n_lets_n_messages_run_and_no_more() {
    let gates = Gates::default();
    let zo = app(&gates).concurrency(2).build();
    let router = zo
        .router()
        .incoming("slow", zo.message().handle(slow))
        .incoming("fast", zo.message().handle(fast));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    let first = client.begin("slow", Value::Null).await;
    let second = client.begin("fast", Value::Null).await;
    assert_eq!(answers(&mut client, 1).await, [second]);
    let third = client.begin("slow", Value::Null).await;
    let fourth = client.begin("fast", Value::Null).await;
    gates.begun.acquire_many(2).await.unwrap().forget();
    // Both places are taken, so the fourth message waits.
    gates.slow.notify_one();
    assert_eq!(answers(&mut client, 2).await, [first, fourth]);
    gates.slow.notify_one();
    assert_eq!(answers(&mut client, 1).await, [third]);
}

#[tokio::test]
async fn messages_in_flight_are_bounded() {
    let gates = Gates::default();
    let zo = app(&gates).limits(Limits::default().in_flight(2)).build();
    let router = zo
        .router()
        .incoming("slow", zo.message().concurrent().handle(slow))
        .incoming("fast", zo.message().handle(fast));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    let first = client.begin("slow", Value::Null).await;
    let second = client.begin("slow", Value::Null).await;
    let third = client.begin("fast", Value::Null).await;
    gates.begun.acquire_many(2).await.unwrap().forget();
    gates.slow.notify_one();
    assert_eq!(answers(&mut client, 2).await, [first, third]);
    gates.slow.notify_one();
    assert_eq!(answers(&mut client, 1).await, [second]);
}

#[tokio::test]
async fn a_global_limit_of_one_neither_starves_nor_deadlocks_at_any_window() {
    for window in [1, 2, 7, 16] {
        let gates = Gates::default();
        let zo = app(&gates)
            .concurrency(window)
            .layer(GlobalConcurrencyLimitLayer::new(1))
            .build();
        let router = zo.router().incoming("fast", zo.message().handle(fast));
        let server = serve(zo.serve(router)).await;
        let idle = [server.connect("").await, server.connect("").await];
        let mut busy = [server.connect("").await, server.connect("").await];
        let mut calls = [Vec::new(), Vec::new()];
        for (client, calls) in busy.iter_mut().zip(&mut calls) {
            for _ in 0..50 {
                calls.push(client.begin("fast", Value::Null).await);
            }
        }
        for (client, calls) in busy.iter_mut().zip(&calls) {
            for id in calls {
                assert_eq!(
                    client.answer(id).await,
                    Ok(Some(json!("fast"))),
                    "window {window}"
                );
            }
            client.expect_nothing().await;
        }
        drop(idle);
    }
}

#[tokio::test]
async fn a_message_that_waits_for_readiness_too_long_ends_the_connection() {
    let gates = Gates::default();
    let limits = Limits::default().stall(Duration::from_millis(100));
    let zo = app(&gates)
        .limits(limits)
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .build();
    let server = serve(zo.serve(zo.router().incoming("slow", zo.message().handle(slow)))).await;
    let (mut first, mut second) = (server.connect("").await, server.connect("").await);
    let id = first.begin("slow", Value::Null).await;
    gates.begun.acquire().await.unwrap().forget();
    second.begin("slow", Value::Null).await;
    assert_eq!(second.closed().await, (3001, "stalled".to_owned()));
    gates.slow.notify_one();
    assert_eq!(answers(&mut first, 1).await, [id]);
}

#[tokio::test]
async fn events_of_a_handler_go_out_before_its_answer_and_while_it_runs() {
    async fn ticks(cx: Context<Gates>) -> Result<(), Error> {
        cx.send(Tick("first".into())).to([cx.client_id()]);
        cx.slow.notified().await;
        cx.rooms().join("room")?;
        cx.send(Tick("second".into())).to_room("room");
        cx.send(Tick("third".into())).broadcast();
        Ok(())
    }
    let gates = Gates::default();
    let zo = app(&gates).build();
    let server = serve(
        zo.serve(
            zo.router()
                .outgoing::<Tick>()
                .incoming("ticks", zo.message().handle(ticks)),
        ),
    )
    .await;
    let mut client = server.connect("").await;
    let id = client.begin("ticks", Value::Null).await;
    assert_eq!(client.event("tick").await, "first");
    gates.slow.notify_one();
    assert_eq!(client.event("tick").await, "second");
    assert_eq!(client.event("tick").await, "third");
    assert_eq!(client.next().await, json!({ "type": "__rpc_res", "rpcId": id }));
}

#[tokio::test]
async fn a_slow_reader_is_closed_with_3002_without_delaying_others() {
    async fn burst(cx: Context<Gates>) -> Result<(), Error> {
        for _ in 0..40 {
            cx.send(Tick("x".repeat(500_000))).broadcast();
            tokio::task::yield_now().await;
        }
        Ok(())
    }
    let gates = Gates::default();
    let zo = app(&gates)
        .limits(
            Limits::default()
                .outbound(1 << 20)
                .close_within(Duration::from_millis(200)),
        )
        .build();
    let server = serve(
        zo.serve(
            zo.router()
                .outgoing::<Tick>()
                .incoming("burst", zo.message().handle(burst)),
        ),
    )
    .await;
    let lazy = server.connect("").await;
    let mut eager = server.connect("").await;
    until(|| zo.connections() == 2).await;
    let mut received = 0;
    for _ in 0..5 {
        let id = eager.begin("burst", Value::Null).await;
        while eager.next().await["rpcId"] != id {
            received += 1;
        }
    }
    assert_eq!(received, 200);
    // The slow reader's connection is closed, although the client has read nothing.
    until(|| zo.connections() == 1).await;
    drop(lazy);
}

#[tokio::test]
async fn an_answer_larger_than_the_limit_fails_only_its_message() {
    let gates = Gates::default();
    let zo = app(&gates).limits(Limits::default().message(10_000)).build();
    let router = zo.router().incoming(
        "big",
        zo.message()
            .handle(async |_: Context<Gates>| Ok("x".repeat(20_000))),
    );
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    let refusal = client.call("big", Value::Null).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PAYLOAD_TOO_LARGE.as_str());
    client.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_and_disconnected_without_a_pong() {
    let (ping_after, pong_within) = (Duration::from_secs(25), Duration::from_secs(20));
    let zo = app(&Gates::default())
        .limits(Limits::default().ping_after(ping_after).pong_within(pong_within))
        .build();
    let service = zo.serve(zo.router());
    let silent = connect_in_memory(&service, "").await.unwrap();
    let mut alive = connect_in_memory(&service, "").await.unwrap();
    // A client answers pings only while it reads, and the silent one does not read.
    let reading = tokio::spawn(async move {
        use futures_util::StreamExt;
        while alive.socket.next().await.is_some() {}
    });
    let second = Duration::from_secs(1);
    sleep(ping_after + pong_within - second).await;
    assert_eq!(zo.connections(), 2);
    sleep(2 * second).await;
    assert_eq!(zo.connections(), 1);
    sleep(10 * (ping_after + pong_within)).await;
    assert_eq!((zo.connections(), reading.is_finished()), (1, false));
    drop(silent);
}

#[tokio::test]
async fn invalid_frames_hold_no_permit_of_a_shared_limit() {
    let gates = Gates::default();
    let zo = app(&gates).layer(GlobalConcurrencyLimitLayer::new(1)).build();
    let router = zo.router().incoming(
        "hello",
        zo.message().handle(async |_: Context<Gates>| Ok("hello")),
    );
    let server = serve(zo.serve(router)).await;
    let mut idle = server.connect("").await;
    idle.send_text(r#"{"rpcId":"no type"}"#).await;
    let refusal = idle.next().await;
    assert_eq!(refusal["error"]["code"], Code::PARSE_ERROR.as_str());
    // The client sends nothing more, and stays connected.
    let mut other = server.connect("").await;
    let answer = other.call("hello", Value::Null).await.unwrap();
    assert_eq!(answer, Some("hello".into()));
    drop(idle);
}
