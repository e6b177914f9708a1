//! Errors and panics of a stack outside its rescue stage.

use std::{
    sync::atomic::Ordering,
    task::{Context as Task, Poll},
    time::Duration,
};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message as WebSocketMessage;
use tower::{BoxError, Layer, Service, ServiceBuilder, layer::layer_fn, service_fn, util::MapRequestLayer};
use zocket::{
    Context, Limits, Message,
    layers::{
        ContextLayer, DataFrame, DecodeLayer, FanoutLayer, Frame, RescueLayer, ValidateLayer, handler_fn,
    },
};

use super::{User, app, echo, stack};
use crate::{
    common::{serve, until},
    extended::offer,
};

#[tokio::test]
async fn an_error_of_call_fails_only_its_message() {
    let (zo, ..) = app(Limits::default());
    // The failure is outside the decode stage, where no rescue stage can turn it into an answer.
    let slow = layer_fn(|inner| {
        ServiceBuilder::new()
            .timeout(Duration::from_millis(50))
            .filter_async(async |frame: Frame| {
                if frame.head().is_some_and(|head| head.route() == "slow") {
                    std::future::pending::<()>().await;
                }
                Ok::<_, BoxError>(frame)
            })
            .service(inner)
    });
    let server = serve(zo.serve_stack(slow.layer(stack()))).await;
    let mut client = server.connect("").await;
    let refusal = client.call("slow", Value::Null).await.unwrap_err();
    assert_eq!(refusal.code(), "TIMEOUT");
    assert_eq!(client.call("fast", Value::Null).await, Ok(Some(json!("Ann"))));

    let (mut extended, _) = offer(&server, "zocket.v1.json").await;
    extended.event("__welcome").await;
    extended.send(json!({ "type": "slow" })).await;
    let error = extended.event("__error").await;
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("slow"), &json!("TIMEOUT"))
    );
}

#[tokio::test]
async fn a_panic_in_call_or_its_future_fails_only_its_message() {
    let (zo, ..) = app(Limits::default());
    let panics = MapRequestLayer::new(|frame: Frame| {
        assert!(
            frame.head().is_none_or(|head| head.route() != "call"),
            "asked for"
        );
        frame
    });
    let panics_later = layer_fn(|inner| {
        ServiceBuilder::new()
            .filter_async(async |frame: Frame| {
                tokio::task::yield_now().await;
                assert!(
                    frame.head().is_none_or(|head| head.route() != "future"),
                    "asked for"
                );
                Ok::<_, BoxError>(frame)
            })
            .service(inner)
    });
    let server = serve(zo.serve_stack(panics.layer(panics_later.layer(stack())))).await;
    let mut client = server.connect("").await;
    for route in ["call", "future", "call"] {
        let refusal = client.call(route, Value::Null).await.unwrap_err();
        assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
        assert!(refusal.message().starts_with("internal error "), "{refusal:?}");
    }
    assert_eq!(client.call("fine", Value::Null).await, Ok(Some(json!("Ann"))));
}

#[tokio::test]
async fn a_failure_between_decode_and_rescue_fails_only_its_message() {
    let (zo, ..) = app(Limits::default());
    let is = |message: &Message, route: &str| &**message.parts().route() == route;
    let stack = ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .timeout(Duration::from_millis(50))
        .map_request(move |message: Message| {
            assert!(!is(&message, "panic"), "asked for");
            message
        })
        .filter_async(async move |message: Message| match &**message.parts().route() {
            "slow" => std::future::pending().await,
            "error" => Err::<_, BoxError>("asked for".into()),
            "panic.later" => {
                tokio::task::yield_now().await;
                panic!("asked for")
            }
            _ => Ok(message),
        })
        .layer(RescueLayer::new())
        .layer(FanoutLayer::new())
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<User>::new())
        .service(handler_fn(async |cx: Context<User>| Ok(cx.name)));
    let server = serve(zo.serve_stack(stack)).await;
    let mut client = server.connect("").await;
    for _ in 0..2 {
        for (route, code) in [
            ("slow", "TIMEOUT"),
            ("error", "INTERNAL_SERVER_ERROR"),
            ("panic", "INTERNAL_SERVER_ERROR"),
            ("panic.later", "INTERNAL_SERVER_ERROR"),
        ] {
            let refusal = client.call(route, Value::Null).await.unwrap_err();
            assert_eq!(refusal.code(), code, "{route}");
            assert_eq!(client.call("fast", Value::Null).await, Ok(Some(json!("Ann"))));
        }
    }
}

#[tokio::test]
async fn without_a_codec_an_error_is_logged_and_the_connection_stays_open() {
    let (zo, ..) = app(Limits::default());
    let service = service_fn(async |frame: Frame| match frame.data().as_text() {
        Some("fail") => Err("asked for"),
        _ => Ok(Some(frame.into_data())),
    });
    let server = serve(zo.serve_stack(service)).await;
    let mut client = server.connect("").await;
    client.send_text("fail").await;
    let fine = WebSocketMessage::text("fine");
    assert_eq!(echo(&mut client, fine.clone()).await, fine);
}

/// A service that becomes ready once and fails for good afterwards.
#[derive(Clone, Default)]
struct ReadyOnce(bool);

impl Service<Frame> for ReadyOnce {
    type Response = DataFrame;
    type Error = BoxError;
    type Future = std::future::Ready<Result<DataFrame, BoxError>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(if self.0 { Err("worn out".into()) } else { Ok(()) })
    }

    fn call(&mut self, frame: Frame) -> Self::Future {
        self.0 = true;
        std::future::ready(Ok(frame.into_data()))
    }
}

#[tokio::test]
async fn an_error_of_poll_ready_closes_the_connection() {
    let (zo, _, gone) = app(Limits::default());
    let server = serve(zo.serve_stack(ReadyOnce::default())).await;
    let mut client = server.connect("").await;
    let first = WebSocketMessage::text("first");
    assert_eq!(echo(&mut client, first.clone()).await, first);
    client.send_text("second").await;
    assert_eq!(client.closed().await, (1011, "unavailable".to_owned()));
    until(|| gone.load(Ordering::SeqCst) == 1).await;
}
