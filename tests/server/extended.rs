//! The extended protocol: negotiation, welcome, `__error`, and pings from a page.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::time::Duration;

use crate::common::{
    Client, Server,
    raw::{FIN, TEXT, frame, handshake},
    serve,
};
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};
use zocket::{Context, Error, Limits, Zocket};

async fn app() -> (Server, String) {
    let zo = Zocket::builder().build();
    let router = || {
        zo.router()
            .incoming("hello", zo.message().handle(async |_: Context<()>| Ok("hello")))
            .incoming(
                "refuse",
                zo.message()
                    .handle(async |_: Context<()>| Err::<(), _>(Error::conflict("no"))),
            )
    };
    let hash = router().contract().hash();
    (serve(zo.serve(router())).await, hash)
}

/// Connects with an offer of these subprotocols. Returns the client and the server's choice.
pub(crate) async fn offer(server: &Server, protocols: &'static str) -> (Client, Option<HeaderValue>) {
    let mut request = server.url("").into_client_request().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", HeaderValue::from_static(protocols));
    let (socket, response) = connect_async(request).await.unwrap();
    (
        Client::new(socket),
        response.headers().get("sec-websocket-protocol").cloned(),
    )
}

#[tokio::test]
async fn the_welcome_comes_first_with_the_clients_id_the_contract_and_the_limits() {
    let (server, hash) = app().await;
    let (mut client, picked) = offer(&server, "other, zocket.v1.json").await;
    assert_eq!(picked.unwrap(), "zocket.v1.json");
    let welcome = client.event("__welcome").await;
    assert_eq!(welcome["clientId"].as_str().map(str::len), Some(36));
    assert_eq!(welcome["contract"], hash);
    assert_eq!(welcome["limits"], json!({ "message": 1 << 20 }));
    assert_eq!(welcome["features"], json!(["refusals", "flow", "resume"]));
    assert_eq!(welcome["heartbeatMs"], 25_000);
    assert_eq!(welcome.as_object().unwrap().len(), 5, "{welcome}");
    assert_eq!(client.call("hello", Value::Null).await, Ok(Some(json!("hello"))));
}

#[tokio::test]
async fn a_failed_message_without_an_id_is_reported_by_error() {
    let (server, _) = app().await;
    let (mut client, _) = offer(&server, "zocket.v1.json").await;
    client.event("__welcome").await;
    client.send(json!({ "type": "refuse" })).await;
    assert_eq!(
        client.event("__error").await,
        json!({ "type": "refuse", "code": "CONFLICT", "message": "no" })
    );
    client.send_text("{").await;
    assert_eq!(client.event("__error").await["code"], "PARSE_ERROR");
    client.send(json!({ "type": "hello" })).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_page_may_ping() {
    let (server, _) = app().await;
    let (mut client, _) = offer(&server, "zocket.v1.json").await;
    client.event("__welcome").await;
    client.send(json!({ "type": "__ping" })).await;
    assert_eq!(client.next().await, json!({ "type": "__pong" }));
}

#[tokio::test]
async fn a_base_protocol_client_receives_no_extended_frame() {
    let (server, _) = app().await;
    let mut plain = server.connect("").await;
    plain.send(json!({ "type": "refuse" })).await;
    plain.send(json!({ "type": "__ping" })).await;
    plain.expect_nothing().await;
    let refusal = plain.call("__ping", Value::Null).await.unwrap_err();
    assert_eq!(refusal.code(), "NOT_FOUND");
}

#[tokio::test]
async fn the_welcome_has_the_heartbeat_of_the_limits() {
    for (ping_after, expected) in [
        (Duration::from_millis(1_500), 1_500),
        (Duration::ZERO, 1),
        // Browsers keep times in 31 bits.
        (Duration::MAX, i32::MAX),
    ] {
        let limits = Limits::default()
            .ping_after(ping_after)
            .pong_within(Duration::MAX);
        let zo = Zocket::builder().limits(limits).build();
        let server = serve(zo.serve(zo.router())).await;
        let (mut client, _) = offer(&server, "zocket.v1.json").await;
        assert_eq!(client.event("__welcome").await["heartbeatMs"], expected);
    }
}

#[tokio::test]
async fn modifiers_without_a_codec_change_nothing() {
    let (server, _) = app().await;
    for offered in ["zocket.refusals, zocket.flow", "ZOCKET.V1.JSON, zocket.flow"] {
        let mut raw = server.dial().await;
        let fields = format!("Sec-WebSocket-Protocol: {offered}\r\n");
        raw.write(handshake(&fields).as_bytes()).await;
        let answer = raw.read_http().await.to_ascii_lowercase();
        assert!(
            answer.starts_with("http/1.1 101 ") && !answer.contains("protocol:"),
            "{answer}"
        );
        raw.write(&frame(FIN | TEXT, br#"{"type":"refuse"}"#)).await;
        raw.write(&frame(FIN | TEXT, br#"{"type":"hello","rpcId":1}"#))
            .await;
        assert_eq!(
            raw.read_text().await,
            r#"{"type":"__rpc_res","payload":"hello","rpcId":1}"#
        );
    }
}
