//! PARSE_ERROR: frames that are not messages.

use serde_json::{Value, json};

use super::{common::Client, visit};

/// Reads the next frame, which must be a refusal. Returns its `rpcId` and its code.
async fn refused(client: &mut Client) -> (Value, String) {
    let frame = client.next().await;
    assert_eq!(frame["type"], "__rpc_err", "{frame}");
    assert!(
        frame["error"]["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{frame}"
    );
    (
        frame["rpcId"].clone(),
        frame["error"]["code"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn an_invalid_message_with_an_id_is_a_parse_error_under_that_id() {
    let (_, mut client) = visit().await;
    for text in [
        r#"{"rpcId":"a"}"#,
        r#"{"rpcId":"a","type":null}"#,
        r#"{"rpcId":"a","type":7}"#,
        r#"{"rpcId":"a","type":true}"#,
        r#"{"rpcId":"a","type":["echo"]}"#,
        r#"{"rpcId":"a","type":{"echo":1}}"#,
        r#"{"rpcId":"a","type":"\ud800"}"#,
        r#"{"payload":{},"type":{},"rpcId":"a"}"#,
    ] {
        client.send_text(text).await;
        assert_eq!(
            refused(&mut client).await,
            (json!("a"), "PARSE_ERROR".to_owned()),
            "{text}"
        );
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn an_invalid_message_without_an_id_is_a_parse_error_without_an_answer() {
    let (state, mut client) = visit().await;
    let too_long = "x".repeat(129);
    for text in [
        "",
        " ",
        "hello",
        "{",
        "null",
        "7",
        r#""echo""#,
        "[]",
        r#"["echo",null,"a"]"#,
        r#"{"type":"echo","rpcId":"a"#,
        r#"{"type":"echo","rpcId":NaN}"#,
        r#"{"type":"echo","rpcId":01}"#,
    ] {
        client.send_text(text).await;
    }
    for id in [
        "true".to_owned(),
        "false".to_owned(),
        "[]".to_owned(),
        r#"["a"]"#.to_owned(),
        "{}".to_owned(),
        r#""\ud800""#.to_owned(),
        format!("\"{too_long}\""),
        "1".repeat(129),
    ] {
        client
            .send_text(format!(r#"{{"type":"echo","rpcId":{id}}}"#))
            .await;
    }
    // No handler ran, no answer was sent, and the connection is still open.
    client.expect_nothing().await;
    assert_eq!(state.runs(), 0);
    assert_eq!(client.call("echo", Value::Null).await, Ok(Some(json!("here"))));
}

#[tokio::test]
async fn a_parse_error_names_the_expected_and_the_received_value() {
    let (_, mut client) = visit().await;
    client.send(json!({ "type": 7, "rpcId": "a" })).await;
    let refusal = client.answer(&json!("a")).await.unwrap_err();
    assert_eq!(refusal.message(), "type: expected a string, got a number");
}

#[tokio::test]
async fn a_frame_that_is_invalid_json_is_a_parse_error_with_its_id() {
    let (state, mut client) = visit().await;
    for text in [
        r#"{"type":"echo","rpcId":"a"} {}"#,
        r#"{'type':'echo','rpcId':'a'}"#,
        r#"{"type":"echo","rpcId":"a",}"#,
        "\u{feff}{\"type\":\"echo\",\"rpcId\":\"a\"}",
    ] {
        client.send_text(text).await;
        let refusal = client.answer(&json!("a")).await.unwrap_err();
        assert_eq!(refusal.code(), "PARSE_ERROR", "{text}");
    }
    assert_eq!(state.runs(), 0);
}
