//! Streams of events, and of failures of messages without an answer.

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use zocket::{
    Code,
    client::{Client, EventError},
};

use super::{
    servers::{drain, fake},
    soon,
    world::{Posted, Said, connect, site, text, visit},
};

#[tokio::test]
async fn events_are_a_stream_of_the_servers_types() {
    let (_, server) = site().await;
    let (one, other) = (connect(&server).await, connect(&server).await);
    let mut said = one.on::<Said>();
    let _: Posted = other.call_route("post", &text("hi")).await.unwrap();
    let expected = Said {
        text: "hi".into(),
        from: "bot".into(),
    };
    assert_eq!(soon(said.next()).await.unwrap().unwrap(), expected);
}

#[tokio::test]
async fn failures_of_messages_without_an_answer_reach_the_client() {
    let (_, client) = visit().await;
    let mut errors = client.errors();
    client.send_route("refuse", &()).await.unwrap();
    let error = soon(errors.next()).await.unwrap().unwrap();
    assert_eq!(error.route.as_deref(), Some("refuse"));
    assert!(error.refusal.is(Code::CONFLICT));
}

#[tokio::test]
async fn a_dropped_stream_unsubscribes() {
    let (_, client) = visit().await;
    let (said, errors) = (client.on::<Said>(), client.errors());
    assert!(format!("{client:?}").contains("streams: 2"), "{client:?}");
    drop(said);
    assert!(format!("{client:?}").contains("streams: 1"), "{client:?}");
    drop(errors);
    assert!(format!("{client:?}").contains("streams: 0"), "{client:?}");
}

#[tokio::test]
async fn a_lagging_stream_drops_the_oldest_events_and_reports_the_count() {
    let (_, server) = site().await;
    let builder = Client::builder(server.url("name=bot")).event_buffer(2);
    let client = builder.connect().await.unwrap();
    let mut said = client.on::<Said>();
    for n in 0..5 {
        // The event arrives before the answer.
        let _: Posted = client.call_route("post", &text(n.to_string())).await.unwrap();
    }
    let lagged = soon(said.next()).await.unwrap().unwrap_err();
    assert!(matches!(lagged, EventError::Lagged(3)), "{lagged}");
    for n in [3, 4] {
        assert_eq!(soon(said.next()).await.unwrap().unwrap().text, n.to_string());
    }
}

#[tokio::test]
async fn an_event_of_another_shape_is_an_error_and_the_stream_continues() {
    let server = fake(async |mut socket, _| {
        for payload in [json!({ "text": 1 }), json!({ "text": "a", "from": "b" })] {
            let frame = json!({ "type": "chat.message", "payload": payload });
            socket.send(Message::text(frame.to_string())).await.unwrap();
        }
        drain(socket).await;
    })
    .await;
    let client = Client::builder(server.url("")).start().unwrap();
    let mut said = client.on::<Said>();
    assert!(matches!(
        soon(said.next()).await,
        Some(Err(EventError::Decode(_)))
    ));
    assert_eq!(soon(said.next()).await.unwrap().unwrap().text, "a");
}
