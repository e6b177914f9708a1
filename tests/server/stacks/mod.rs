//! Custom stacks, served over sockets.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

mod failures;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{SinkExt, StreamExt};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message as WebSocketMessage;
use tower::{BoxError, Service, ServiceBuilder, service_fn, util::BoxCloneSyncService};
use zocket::{
    ClientId, Context, Error, Limits, NoHeaders, Outgoing, ServeError, Zocket,
    layers::{
        ContextLayer, DataFrame, DecodeLayer, FanoutLayer, Frame, FrameResponse, RescueLayer, ValidateLayer,
        handler_fn,
    },
};

use crate::{
    common::{Client, raw::handshake, serve, until},
    extended::offer,
};

struct User {
    name: &'static str,
}

/// Returns an app whose context is a user, and the number of clients that have connected and disconnected.
fn app(limits: Limits) -> (Zocket<User>, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (came, gone) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = gone.clone();
    let zo = Zocket::builder()
        .on_connect_with(
            came.clone(),
            async |came: Arc<AtomicUsize>, _: NoHeaders, _: ClientId| {
                came.fetch_add(1, Ordering::SeqCst);
                Ok(User { name: "Ann" })
            },
        )
        .on_disconnect(move |_: Context<User>| {
            let gone = count.clone();
            async move {
                gone.fetch_add(1, Ordering::SeqCst);
            }
        })
        .limits(limits)
        .build();
    (zo, came, gone)
}

#[derive(Serialize, JsonSchema)]
struct Said(String);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// Answers with the user's name, and sends it to the client as an event.
async fn name(cx: Context<User>) -> Result<&'static str, Error> {
    cx.send(Said(cx.name.to_owned())).to([cx.client_id()]);
    Ok(cx.name)
}

/// Returns a stack with every stage and without a router.
fn stack()
-> impl Service<Frame, Response = FrameResponse, Error = BoxError, Future: Send> + Clone + Send + Sync + 'static
{
    ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(FanoutLayer::new())
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<User>::new())
        .service(handler_fn(name))
}

async fn echo(client: &mut Client, message: WebSocketMessage) -> WebSocketMessage {
    client.socket.send(message).await.unwrap();
    client.socket.next().await.unwrap().unwrap()
}

#[tokio::test]
async fn without_a_codec_frames_are_opaque_in_both_directions() {
    let (zo, ..) = app(Limits::default());
    let service = service_fn(async |frame: Frame| {
        assert!(frame.head().is_none());
        Ok::<_, Infallible>(frame.into_data())
    });
    let server = serve(zo.serve_stack(service)).await;
    let mut client = server.connect("").await;
    for message in [
        WebSocketMessage::text("not JSON"),
        WebSocketMessage::text(r#"{"type":"__ping","rpcId":1}"#),
        WebSocketMessage::text(r#"{"type":"a","rpcId":1}"#),
        WebSocketMessage::text(r#"{"type":"a","rpcId":1}"#),
        WebSocketMessage::binary(vec![0xff, 0, 0xfe]),
        WebSocketMessage::binary(vec![7; 200_000]),
        WebSocketMessage::text(""),
    ] {
        assert_eq!(echo(&mut client, message.clone()).await, message);
    }
}

#[tokio::test]
async fn without_a_codec_repeated_ids_run_and_no_subprotocol_is_negotiated() {
    let (zo, ..) = app(Limits::default());
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let wait = gate.clone();
    let service = service_fn(move |frame: Frame| {
        let gate = wait.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok::<_, Infallible>(frame.into_data())
        }
    });
    let server = serve(zo.serve_stack(service)).await;
    let mut raw = server.dial().await;
    raw.write(handshake("Sec-WebSocket-Protocol: zocket.v1.json\r\n").as_bytes())
        .await;
    let answer = raw.read_http().await.to_lowercase();
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(!answer.contains("sec-websocket-protocol"), "{answer}");

    let mut client = server.connect("").await;
    for _ in 0..2 {
        client.send(json!({ "type": "a", "rpcId": 1 })).await;
    }
    gate.add_permits(2);
    for _ in 0..2 {
        assert_eq!(client.next().await, json!({ "type": "a", "rpcId": 1 }));
    }
}

#[tokio::test]
async fn a_stack_with_a_codec_speaks_both_protocols_without_a_contract_hash() {
    let (zo, ..) = app(Limits::default());
    let server = serve(zo.serve_stack(stack())).await;
    let mut base = server.connect("").await;
    assert_eq!(base.call("any", Value::Null).await, Ok(Some(json!("Ann"))));
    assert_eq!(base.event("said").await, "Ann");

    let (mut extended, picked) = offer(&server, "zocket.v1.json").await;
    assert_eq!(picked.unwrap(), "zocket.v1.json");
    let welcome = extended.event("__welcome").await;
    assert_eq!(welcome["limits"], json!({ "message": 1 << 20 }));
    assert!(welcome.get("contract").is_none(), "{welcome}");
    extended.send(json!({ "type": "__ping" })).await;
    assert_eq!(extended.next().await, json!({ "type": "__pong" }));
    assert_eq!(extended.call("any", Value::Null).await, Ok(Some(json!("Ann"))));
}

#[tokio::test]
async fn a_codec_is_detected_through_foreign_layers() {
    let (zo, ..) = app(Limits::default());
    let boxed = BoxCloneSyncService::new(
        ServiceBuilder::new()
            .map_request(|frame: Frame| frame)
            .service(stack()),
    );
    let server = serve(zo.serve_stack(boxed)).await;
    let (mut client, picked) = offer(&server, "zocket.v1.json").await;
    assert_eq!(picked.unwrap(), "zocket.v1.json");
    client.event("__welcome").await;
}

#[tokio::test]
async fn a_custom_stack_keeps_the_apps_limits_and_lifecycle() {
    let limits = Limits::default().message(100);
    let (zo, came, gone) = app(limits);
    let double = service_fn(async |frame: Frame| {
        let twice = [frame.data().bytes(), frame.data().bytes()].concat();
        Ok::<_, Infallible>(DataFrame::binary(twice))
    });
    let server = serve(zo.serve_stack(double)).await;
    let mut client = server.connect("").await;
    assert_eq!((came.load(Ordering::SeqCst), zo.connections()), (1, 1));
    // A response over the limit is not sent, but the next one is.
    client
        .socket
        .send(WebSocketMessage::binary(vec![1; 51]))
        .await
        .unwrap();
    let fits = echo(&mut client, WebSocketMessage::binary(vec![2; 50])).await;
    assert_eq!(fits, WebSocketMessage::binary(vec![2; 100]));
    client
        .socket
        .send(WebSocketMessage::binary(vec![1; 101]))
        .await
        .unwrap();
    assert_eq!(client.closed().await.0, 1009);
    until(|| gone.load(Ordering::SeqCst) == 1).await;

    let mut client = server.connect("").await;
    let shutdown = tokio::spawn({
        let zo = zo.clone();
        async move { zo.shutdown(crate::common::PATIENCE).await }
    });
    assert_eq!(client.closed().await, (1001, "going-away".to_owned()));
    drop(client);
    assert_eq!(shutdown.await.unwrap(), 0);
    assert_eq!(gone.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn serve_stack_allows_undeclared_events() {
    let (zo, ..) = app(Limits::default());
    let router = zo.router().incoming("name", zo.message().handle(name));
    let declared = serve(zo.serve(router)).await;
    let refusal = declared
        .connect("")
        .await
        .call("name", Value::Null)
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR", "`said` is not declared");

    let server = serve(zo.serve_stack(stack())).await;
    let mut client = server.connect("").await;
    assert_eq!(client.call("name", Value::Null).await, Ok(Some(json!("Ann"))));
    assert_eq!(client.event("said").await, "Ann");
}

#[tokio::test]
async fn serve_with_keeps_contract_declared_events_and_routes() {
    let (zo, ..) = app(Limits::default());
    let undeclared = zo.message().handle(async |cx: Context<User>| {
        #[derive(Serialize, JsonSchema)]
        struct Unknown;

        impl Outgoing for Unknown {
            const TYPE: &'static str = "unknown";
        }

        cx.send(Unknown).broadcast();
        Ok(())
    });
    let router = || {
        zo.router()
            .outgoing::<Said>()
            .incoming("name", zo.message().handle(name))
            .incoming("undeclared", undeclared.clone())
    };
    let hash = router().contract().hash();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let service = zo.serve_with(router(), |routes| {
        ServiceBuilder::new()
            .map_request(move |frame: Frame| {
                counted.fetch_add(1, Ordering::SeqCst);
                frame
            })
            .layer(DecodeLayer::json())
            .layer(RescueLayer::new())
            .service(routes)
    });
    let server = serve(service).await;
    let (mut client, _) = offer(&server, "zocket.v1.json").await;
    assert_eq!(client.event("__welcome").await["contract"], hash);
    assert_eq!(client.call("name", Value::Null).await, Ok(Some(json!("Ann"))));
    assert_eq!(client.event("said").await, "Ann");
    let refusal = client.call("undeclared", Value::Null).await.unwrap_err();
    assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
    let refusal = client.call("elsewhere", Value::Null).await.unwrap_err();
    assert_eq!(refusal.code(), "NOT_FOUND");
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[test]
fn a_context_layer_of_another_type_is_refused_at_construction() {
    let zo = Zocket::builder().build();
    let error = zo.try_serve_stack(stack()).unwrap_err();
    let said = error.to_string();
    assert!(said.contains("User") && said.contains("`()`"), "{said}");

    let error = zo.try_serve_with(zo.router(), |_| stack()).unwrap_err();
    assert!(matches!(error, ServeError::Stack(_)), "{error}");
    // The router of a refused stack declares nothing.
    zo.emitter().send(Said(String::new())).broadcast().unwrap();

    let (zo, ..) = app(Limits::default());
    zo.try_serve_stack(stack()).unwrap();
}

#[test]
#[should_panic(expected = "ContextLayer")]
fn serve_stack_panics_with_the_reason() {
    drop(Zocket::builder().build().serve_stack(stack()));
}

#[test]
fn serve_with_refuses_an_invalid_router() {
    let (zo, ..) = app(Limits::default());
    let router = zo.router().incoming("__a", zo.message().handle(name));
    let error = zo.try_serve_with(router, |_| stack()).unwrap_err();
    assert!(matches!(error, ServeError::Router(_)), "{error}");
}
