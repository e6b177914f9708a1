//! A message's `rpcId`: its echo in the answer, its absence, and its reuse while in flight.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    State, app,
    bad_request::Profile,
    common::{
        Client,
        raw::{FIN, TEXT, frame},
    },
    connect, router, site, visit,
};

/// Waits until the server has read everything sent so far: it answers a ping in order.
async fn read_so_far(client: &mut Client) {
    client.socket.send(Message::Ping("so far".into())).await.unwrap();
    match client.socket.next().await {
        Some(Ok(Message::Pong(text))) if text == "so far" => {}
        other => panic!("expected a pong, got {other:?}"),
    }
}

#[tokio::test]
async fn an_id_comes_back_as_it_was_sent() {
    let (_, server) = site().await;
    let mut raw = server.raw().await;
    let longest = format!("\"{}\"", "é".repeat(64));
    for id in [
        "\"a\"",
        "\" \"",
        "\"null\"",
        "\"\u{1f600}\"",
        &longest,
        r#""a\"b\\c\n""#,
        "0",
        "7",
        "-1",
        "-0",
        "1.5",
        "1.50",
        "1e3",
        "1E+3",
        "1e400",
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890123456789",
    ] {
        let text = format!(r#"{{"type":"echo","rpcId":{id}}}"#);
        raw.write(&frame(FIN | TEXT, text.as_bytes())).await;
        let answer = raw.read_text().await;
        assert_eq!(
            answer,
            format!(r#"{{"type":"__rpc_res","payload":"here","rpcId":{id}}}"#)
        );
    }
}

#[tokio::test]
async fn an_escaped_id_comes_back_as_the_same_string() {
    let (_, mut client) = visit().await;
    for (sent, back) in [
        (r#""\u0061""#, "a"),
        (r#""\/""#, "/"),
        (r#""\ud83d\ude00""#, "\u{1f600}"),
        (r#""\u0000""#, "\0"),
    ] {
        client
            .send_text(format!(r#"{{"type":"echo","rpcId":{sent}}}"#))
            .await;
        assert_eq!(client.answer(&json!(back)).await, Ok(Some(json!("here"))));
    }
}

#[tokio::test]
async fn a_message_without_an_id_runs_without_an_answer() {
    let (state, mut client) = visit().await;
    for text in [
        r#"{"type":"echo"}"#,
        r#"{"type":"echo","rpcId":null}"#,
        r#"{"type":"echo","rpcId":""}"#,
    ] {
        client.send_text(text).await;
    }
    client.expect_nothing().await;
    assert_eq!(state.runs(), 3);
}

#[tokio::test]
async fn a_failed_message_without_an_id_gets_no_answer_and_no_close() {
    let zo = app(&State::default());
    let router = router(&zo).incoming(
        "strict",
        zo.message()
            .input::<Profile>()
            .handle(async |_, _: Profile| Ok(())),
    );
    let mut client = connect(zo.serve(router)).await;
    for text in [
        r#"{"type":"no.such.route"}"#,
        r#"{"type":"bug"}"#,
        r#"{"type":"bug","rpcId":null}"#,
        r#"{"type":"strict","payload":7,"rpcId":""}"#,
        r#"{"type":7}"#,
    ] {
        client.send_text(text).await;
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_message_whose_id_is_in_flight_does_not_run_and_gets_one_answer() {
    let (state, mut client) = visit().await;
    let call = |route: &str| json!({ "type": route, "rpcId": "twice" });
    client.send(call("wait")).await;
    state.begun().await;
    client.send(call("wait")).await;
    client.send(call("echo")).await;
    read_so_far(&mut client).await;
    state.gate.notify_one();
    assert_eq!(
        client.next().await,
        json!({ "type": "__rpc_res", "payload": "done", "rpcId": "twice" })
    );
    client.expect_nothing().await;
    assert_eq!(state.runs(), 1);
    // After the answer, the id can be used again.
    client.send(call("echo")).await;
    assert_eq!(client.answer(&json!("twice")).await, Ok(Some(json!("here"))));
}

#[tokio::test]
async fn a_message_whose_id_is_already_queued_does_not_run() {
    let (state, mut client) = visit().await;
    let first = client.begin("wait", Value::Null).await;
    state.begun().await;
    for text in [
        r#"{"type":"echo","rpcId":"a"}"#,
        r#"{"type":"echo","rpcId":"\u0061"}"#,
        r#"{"type":7,"rpcId":"a"}"#,
    ] {
        client.send_text(text).await;
    }
    read_so_far(&mut client).await;
    state.gate.notify_one();
    assert_eq!(client.answer(&first).await, Ok(Some(json!("done"))));
    assert_eq!(client.answer(&json!("a")).await, Ok(Some(json!("here"))));
    client.expect_nothing().await;
    assert_eq!(state.runs(), 2);
}
