//! Flow control by numbers, for clients that offer `zocket.flow`.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::{sync::Semaphore, time::timeout};
use tokio_tungstenite::tungstenite::Message;
use zocket::{Builder, ClientId, Context, Limits, NoHeaders, Zocket};

use crate::{
    common::{Client, PATIENCE, Server, serve, until},
    extended::offer,
};

const OFFER: &str = "zocket.v1.json, zocket.flow";

#[derive(Clone)]
struct World {
    gate: Arc<Semaphore>,
    quick: Arc<AtomicUsize>,
}

async fn slow(cx: Context<World>) -> Result<(), zocket::Error> {
    if let Ok(permit) = cx.gate.acquire().await {
        permit.forget();
    }
    Ok(())
}

async fn site(
    change: impl FnOnce(
        Builder<World, tower::layer::util::Identity>,
    ) -> Builder<World, tower::layer::util::Identity>,
) -> (Server, World) {
    let world = World {
        gate: Arc::new(Semaphore::new(0)),
        quick: Arc::default(),
    };
    let connect = async |world: World, _: NoHeaders, _: ClientId| Ok(world);
    let zo = change(Zocket::builder().on_connect_with(world.clone(), connect)).build();
    let router = zo
        .router()
        .incoming("slow", zo.message().handle(slow))
        .incoming("aside", zo.message().concurrent().handle(slow))
        .incoming(
            "quick",
            zo.message().handle(async |cx: Context<World>| {
                cx.quick.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }),
        );
    (serve(zo.serve(router)).await, world)
}

async fn limited(limits: Limits) -> (Server, World) {
    site(|builder| builder.limits(limits)).await
}

/// Connects with flow control. Returns the client and its `limits.calls`.
async fn connect(server: &Server) -> (Client, usize) {
    let (mut client, _) = offer(server, OFFER).await;
    let welcome = client.event("__welcome").await;
    let calls = welcome["limits"]["calls"].as_u64().expect("limits.calls");
    (client, usize::try_from(calls).expect("a small number"))
}

/// Checks that the next frame refuses this call.
async fn refused(client: &mut Client, id: &Value) {
    let refusal = client.next().await;
    assert_eq!((&refusal["type"], &refusal["rpcId"]), (&json!("__rpc_err"), id));
    assert_eq!(refusal["error"]["code"], "OVERLOADED", "{refusal}");
}

async fn pings(client: &mut Client) {
    client.send(json!({ "type": "__ping" })).await;
    assert_eq!(client.next().await, json!({ "type": "__pong" }));
}

#[tokio::test]
async fn calls_are_what_is_handled_at_once_and_a_full_queue() {
    for (concurrency, queued, in_flight, expected) in [
        (1, 64, 64, 65),
        (4, 64, 64, 68),
        (100, 10, 8, 18),
        (1, 0, 0, 2),
        (usize::MAX, 1, 3, 4),
    ] {
        let limits = Limits::default().queued(queued).in_flight(in_flight);
        let (server, _) = site(|builder| builder.limits(limits).concurrency(concurrency)).await;
        assert_eq!(connect(&server).await.1, expected);
        let (mut other, _) = offer(&server, "zocket.v1.json, zocket.refusals").await;
        assert_eq!(other.event("__welcome").await["limits"].get("calls"), None);
    }
}

#[tokio::test]
async fn a_full_queue_is_read_on_and_what_goes_beyond_it_is_refused() {
    let (server, world) = limited(Limits::default()).await;
    let (mut client, calls) = connect(&server).await;
    let mut within = vec![client.begin("slow", Value::Null).await];
    for _ in 1..calls {
        within.push(client.begin("quick", Value::Null).await);
    }
    pings(&mut client).await;
    for _ in 0..1_000 {
        let beyond = client.begin("quick", Value::Null).await;
        refused(&mut client, &beyond).await;
    }
    pings(&mut client).await;
    world.gate.add_permits(1);
    for id in within {
        assert_eq!(client.next().await, json!({ "type": "__rpc_res", "rpcId": id }));
    }
    assert_eq!(world.quick.load(Ordering::SeqCst), calls - 1);
    // There is room again.
    assert_eq!(client.call("quick", Value::Null).await, Ok(None));
}

#[tokio::test]
async fn a_refused_call_may_be_sent_again_with_its_id() {
    let (server, world) = limited(Limits::default().queued(1)).await;
    let (mut client, calls) = connect(&server).await;
    assert_eq!(calls, 2);
    let slow = client.begin("slow", Value::Null).await;
    let quick = client.begin("quick", Value::Null).await;
    let beyond = client.begin("quick", Value::Null).await;
    refused(&mut client, &beyond).await;
    world.gate.add_permits(1);
    assert_eq!(client.answer(&slow).await, Ok(None));
    assert_eq!(client.answer(&quick).await, Ok(None));
    client.send(json!({ "type": "quick", "rpcId": beyond })).await;
    assert_eq!(client.answer(&beyond).await, Ok(None));
}

#[tokio::test]
async fn messages_without_an_id_count_and_are_refused_by_error() {
    let (server, world) = limited(Limits::default().queued(3)).await;
    let (mut client, calls) = connect(&server).await;
    client.send(json!({ "type": "slow" })).await;
    for _ in 1..calls {
        client.send(json!({ "type": "quick" })).await;
    }
    client.send(json!({ "type": "quick" })).await;
    let error = client.event("__error").await;
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("quick"), &json!("OVERLOADED"))
    );
    let call = client.begin("quick", Value::Null).await;
    refused(&mut client, &call).await;
    world.gate.add_permits(1);
    until(|| world.quick.load(Ordering::SeqCst) == calls - 1).await;
}

#[tokio::test]
async fn messages_of_concurrent_routes_count() {
    let (server, world) = limited(Limits::default().queued(2)).await;
    let (mut client, calls) = connect(&server).await;
    assert_eq!(calls, 3);
    let aside = [
        client.begin("aside", Value::Null).await,
        client.begin("aside", Value::Null).await,
    ];
    let slow = client.begin("slow", Value::Null).await;
    let beyond = client.begin("quick", Value::Null).await;
    refused(&mut client, &beyond).await;
    world.gate.add_permits(3);
    for id in aside.iter().chain([&slow]) {
        assert_eq!(client.answer(id).await, Ok(None));
    }
}

#[tokio::test]
async fn the_bytes_of_the_queue_are_bounded_too() {
    let (server, world) = limited(Limits::default()).await;
    let (mut client, _) = connect(&server).await;
    let slow = client.begin("slow", Value::Null).await;
    // The third one fills the queue, whose bytes may be those of one message of the largest size.
    let mut within = Vec::new();
    for _ in 0..3 {
        within.push(client.begin("quick", json!("x".repeat(400_000))).await);
    }
    for _ in 0..100 {
        let beyond = client.begin("quick", json!("x".repeat(400_000))).await;
        refused(&mut client, &beyond).await;
    }
    let small = client.begin("quick", Value::Null).await;
    refused(&mut client, &small).await;
    pings(&mut client).await;
    world.gate.add_permits(1);
    assert_eq!(client.answer(&slow).await, Ok(None));
    for id in within {
        assert_eq!(client.answer(&id).await, Ok(None));
    }
}

#[tokio::test]
async fn messages_before_the_end_of_on_open_count() {
    let gate = Arc::new(Semaphore::new(0));
    let opening = gate.clone();
    let (server, _) = site(move |builder| {
        builder.limits(Limits::default().queued(2)).on_open(move |_| {
            let gate = opening.clone();
            async move {
                let _ = gate.acquire().await;
                Ok(())
            }
        })
    })
    .await;
    let (mut client, calls) = connect(&server).await;
    let mut within = Vec::new();
    for _ in 0..calls {
        within.push(client.begin("quick", Value::Null).await);
    }
    let beyond = client.begin("quick", Value::Null).await;
    refused(&mut client, &beyond).await;
    gate.add_permits(1);
    for id in within {
        assert_eq!(client.answer(&id).await, Ok(None));
    }
}

#[tokio::test]
async fn a_client_that_floods_and_does_not_read_its_refusals_is_closed() {
    let limits = Limits::default().queued(1).outbound(1 << 16).message(1 << 16);
    let (server, _world) = limited(limits).await;
    let (mut client, _) = connect(&server).await;
    client.begin("slow", Value::Null).await;
    let flood = async {
        let call =
            Message::text(json!({ "type": "quick", "payload": "x".repeat(100), "rpcId": 1 }).to_string());
        let other = Message::text(json!({ "type": "quick", "rpcId": 2 }).to_string());
        client.socket.send(call).await.unwrap();
        while client.socket.send(other.clone()).await.is_ok() {}
    };
    // The kernel's buffers fill first, which are megabytes of small refusals.
    timeout(3 * PATIENCE, flood).await.expect("it is never closed");
}

#[tokio::test]
async fn without_the_offer_a_full_queue_stops_reading() {
    let (server, world) = limited(Limits::default().queued(1)).await;
    for offered in ["zocket.v1.json", "zocket.v1.json, zocket.refusals"] {
        let (mut client, _) = offer(&server, offered).await;
        client.event("__welcome").await;
        let slow = client.begin("slow", Value::Null).await;
        // With what each counts for, these are more than the 64 KiB that are read beyond a full queue.
        let mut ids = Vec::new();
        for _ in 0..300 {
            ids.push(client.begin("quick", Value::Null).await);
        }
        client.send(json!({ "type": "__ping" })).await;
        world.gate.add_permits(1);
        assert_eq!(client.next().await["rpcId"], slow);
        for id in ids {
            let answer = client.answer(&id).await;
            assert_eq!(answer, Ok(None));
        }
    }
}
