//! Messages that are sent again, given up or held back.

use std::time::Duration;

use serde_json::json;
use zocket::client::{CallError, CallOptions, Sent};

use super::{
    begins, call, soon,
    stage::{Stage, ack},
    status,
};

#[tokio::test]
async fn what_the_server_lacks_is_sent_again_in_order_and_before_waiting_messages() {
    let mut stage = Stage::new().await;
    let client = stage.builder().start().unwrap();
    let mut visit = stage.begin().await;
    let mut calls = Vec::new();
    for route in ["a", "b", "c"] {
        calls.push(call(&client, route));
        assert_eq!(visit.next().await["type"], route);
    }
    client.send_route("d", &()).await.unwrap();
    assert_eq!(visit.next().await["type"], "d");
    drop(visit);
    status(&client, |status| !status.is_open()).await;
    calls.push(call(&client, "waiting"));
    let mut visit = stage.resume("zocket.resume.T1.0", 2).await;
    assert_eq!(visit.next().await, ack(0));
    let again = [visit.next().await, visit.next().await, visit.next().await];
    assert_eq!(
        again.clone().map(|frame| frame["type"].clone()),
        ["c", "d", "waiting"]
    );
    visit
        .send(json!({ "type": "__rpc_res", "rpcId": 1, "payload": "a" }))
        .await;
    visit
        .send(json!({ "type": "__rpc_res", "rpcId": 2, "payload": "b" }))
        .await;
    visit.answer(&again[0]).await;
    visit.answer(&again[2]).await;
    for (call, route) in calls.into_iter().zip(["a", "b", "c", "waiting"]) {
        assert_eq!(soon(call).await.unwrap().unwrap(), route);
    }
}

#[tokio::test]
async fn acknowledged_messages_are_not_sent_again_and_numbers_go_on() {
    let mut stage = Stage::new().await;
    let client = stage.builder().start().unwrap();
    let mut visit = stage.begin().await;
    let first = call(&client, "a");
    let frame = visit.next().await;
    visit.answer(&frame).await;
    visit.acknowledge(1).await;
    assert_eq!(soon(first).await.unwrap().unwrap(), "a");
    let second = call(&client, "b");
    visit.next().await;
    drop(visit);
    let mut visit = stage.resume("zocket.resume.T1.1", 1).await;
    assert_eq!(visit.next().await, ack(1));
    let frame = visit.next().await;
    assert_eq!(frame["type"], "b");
    visit.answer(&frame).await;
    assert_eq!(soon(second).await.unwrap().unwrap(), "b");
}

#[tokio::test]
async fn a_call_that_was_given_up_is_replaced_by_a_frame_that_does_nothing() {
    let mut stage = Stage::new().await;
    let client = stage.builder().start().unwrap();
    let mut visit = stage.begin().await;
    let kept = call(&client, "kept");
    assert_eq!(visit.next().await["type"], "kept");
    let impatient = CallOptions::default().timeout(Duration::from_millis(50));
    let mut late = Box::pin(client.call_route_with::<()>("late", &(), impatient));
    let mut dropped = Box::pin(client.call_route::<()>("dropped", &()));
    assert!(begins(&mut late).await && begins(&mut dropped).await);
    assert_eq!(visit.types().await, ["late", "dropped"]);
    drop(visit);
    drop(dropped);
    let error = soon(late).await.unwrap_err();
    assert!(
        matches!(error, CallError::Timeout { sent: Sent::Unknown }),
        "{error}"
    );
    let mut visit = stage.resume("zocket.resume.T1.0", 0).await;
    assert_eq!(visit.types().await, ["__ack", "kept", "__void", "__void"]);
    // It stays replaced, since the server may have read it.
    drop(visit);
    let mut visit = stage.resume("zocket.resume.T2.0", 1).await;
    assert_eq!(visit.types().await, ["__ack", "__void", "__void"]);
    visit
        .send(json!({ "type": "__rpc_res", "rpcId": 1, "payload": "kept" }))
        .await;
    assert_eq!(soon(kept).await.unwrap().unwrap(), "kept");
}

#[tokio::test]
async fn replaced_calls_no_longer_count_for_the_limit_of_calls() {
    let mut stage = Stage::new().await;
    let client = stage.builder().start().unwrap();
    let limits = json!({ "message": 1 << 20, "calls": 1, "record": 1 << 20 });
    let mut visit = stage.begin_with(json!({ "limits": limits.clone() })).await;
    let mut dropped = Box::pin(client.call_route::<()>("dropped", &()));
    assert!(begins(&mut dropped).await);
    assert_eq!(visit.types().await, ["dropped"]);
    drop(dropped);
    let held = call(&client, "held");
    drop(visit);
    let mut visit = stage.accept().await;
    let members = json!({ "session": "T2", "resumed": true, "limits": limits });
    visit.welcome(stage.welcome(members)).await;
    assert_eq!(visit.types().await, ["__ack", "__void"]);
    let frame = visit.next().await;
    assert_eq!(frame["type"], "held");
    visit.answer(&frame).await;
    assert_eq!(soon(held).await.unwrap().unwrap(), "held");
}

#[tokio::test]
async fn messages_wait_while_the_record_is_half_full() {
    let mut stage = Stage::new().await;
    let client = stage.builder().start().unwrap();
    let limits = json!({ "message": 1 << 20, "record": 1_000 });
    let mut visit = stage.begin_with(json!({ "limits": limits })).await;
    let large = "x".repeat(400);
    let mut first = Box::pin(client.call_route::<String>("first", &large));
    assert!(begins(&mut first).await);
    assert_eq!(visit.types().await, ["first"]);
    // Its answer makes no room in the record.
    visit
        .send(json!({ "type": "__rpc_res", "rpcId": 1, "payload": "first" }))
        .await;
    assert_eq!(soon(first).await.unwrap(), "first");
    let impatient = CallOptions::default().timeout(Duration::from_millis(50));
    let error = soon(client.call_route_with::<()>("held", &(), impatient))
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Timeout { sent: Sent::No }), "{error}");
    let mut message = Box::pin(client.send_route("message", &()));
    assert!(begins(&mut message).await);
    visit.acknowledge(1).await;
    soon(message).await.unwrap();
    assert_eq!(visit.types().await, ["message"]);
}

#[tokio::test]
async fn more_than_the_sockets_buffers_is_sent_as_the_server_reads_it() {
    let mut stage = Stage::new().await;
    let client = stage.builder().start().unwrap();
    let limits = json!({ "message": 1 << 20, "record": 1 << 28 });
    let mut visit = stage.begin_with(json!({ "limits": limits })).await;
    let large = "x".repeat(1_000_000);
    let mut sending: Vec<_> = (0..32)
        .map(|_| Box::pin(client.send_route("large", &large)))
        .collect();
    for message in &mut sending {
        assert!(begins(message).await);
        // Yields to the driver, which fills the sockets' buffers.
        tokio::task::yield_now().await;
    }
    for _ in 0..32 {
        assert_eq!(visit.types().await, ["large"]);
    }
    drop(visit);
    // All of it again, on another connection.
    let mut visit = stage.resume("zocket.resume.T1.0", 0).await;
    assert_eq!(visit.types().await, ["__ack"]);
    for _ in 0..32 {
        assert_eq!(visit.types().await, ["large"]);
    }
}
