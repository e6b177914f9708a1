//! PAYLOAD_TOO_LARGE, and the Close for a message over `Limits::message`.

use serde_json::json;
use zocket::{Context, Error, Limits};

use super::{
    State, Tick, app, builder, code,
    common::{
        raw::{BINARY, CONTINUATION, FIN, TEXT, frame, head},
        serve, until,
    },
    connect, echo, router,
};

#[tokio::test]
async fn a_payload_over_the_routes_limit_is_refused_unparsed() {
    let zo = app(&State::default());
    let router = zo
        .router()
        .incoming("small", zo.message().max_payload(10).handle(echo))
        .incoming("echo", zo.message().handle(echo));
    let mut client = connect(zo.serve(router)).await;
    // Ten bytes and eleven bytes, counting the quotes.
    assert!(client.call("small", json!("x".repeat(8))).await.is_ok());
    let refusal = client.call("small", json!("x".repeat(9))).await.unwrap_err();
    assert_eq!(refusal.code(), "PAYLOAD_TOO_LARGE");
    assert!(client.call("echo", json!("x".repeat(9))).await.is_ok());
}

#[tokio::test]
async fn an_event_over_the_limit_is_refused_and_reaches_no_client() {
    async fn shout(cx: Context<State>) -> Result<(), Error> {
        cx.send(Tick("x".repeat(5_000))).broadcast();
        Ok(())
    }
    async fn answer(_: Context<State>) -> Result<String, Error> {
        Ok("x".repeat(5_000))
    }
    let zo = builder(&State::default())
        .limits(Limits::default().message(4_000))
        .build();
    let router = zo
        .router()
        .outgoing::<Tick>()
        .incoming("shout", zo.message().handle(shout))
        .incoming("answer", zo.message().handle(answer));
    let server = serve(zo.serve(router)).await;
    let (mut client, mut other) = (server.connect("").await, server.connect("").await);
    assert_eq!(code(&mut client, "shout").await, "PAYLOAD_TOO_LARGE");
    assert_eq!(code(&mut client, "answer").await, "PAYLOAD_TOO_LARGE");
    client.expect_nothing().await;
    other.expect_nothing().await;
}

#[tokio::test]
async fn a_message_larger_than_the_limit_closes_with_1009() {
    let state = State::default();
    let zo = builder(&state).limits(Limits::default().message(1_000)).build();
    let server = serve(zo.serve(router(&zo))).await;
    let mut client = server.connect("").await;
    let fits = |length: usize| {
        let frame = json!({ "type": "echo", "payload": "", "rpcId": "a" }).to_string();
        json!({ "type": "echo", "payload": "x".repeat(length - frame.len()), "rpcId": "a" })
    };
    client.send(fits(1_000)).await;
    assert!(client.answer(&json!("a")).await.is_ok());
    client.send(fits(1_001)).await;
    assert_eq!(client.closed().await, (1009, "message-too-large".to_owned()));
    assert_eq!(state.runs(), 1);
    drop(client);

    // The message is fragmented, and each fragment is within the limit.
    let mut raw = server.raw().await;
    let part = "x".repeat(600);
    raw.write(&frame(TEXT, part.as_bytes())).await;
    raw.write(&frame(FIN | CONTINUATION, part.as_bytes())).await;
    assert_eq!(raw.closed().await, (1009, "message-too-large".to_owned()));
    drop(raw);

    // The announced length alone exceeds the limit.
    for length in [1_001, u64::from(u32::MAX), i64::MAX as u64] {
        let mut raw = server.raw().await;
        raw.write(&head(FIN | BINARY, length)).await;
        assert_eq!(
            raw.closed().await,
            (1009, "message-too-large".to_owned()),
            "{length}"
        );
    }
    until(|| zo.connections() == 0).await;
}
