//! What goes wrong, and what the client is told: PROTOCOL.md, section 2, from outside.
#![allow(
    clippy::unwrap_used,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

mod common;

use std::{
    future::pending,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as Task, Poll},
    time::Duration,
};

use common::{
    Client, Server,
    raw::{BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT, frame, handshake, head},
    serve, until,
};
use futures_util::{SinkExt, StreamExt};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};
use tokio_tungstenite::tungstenite;
use tower::{
    BoxError, Service, ServiceBuilder,
    buffer::Buffer,
    layer::{layer_fn, util::Identity},
    limit::GlobalConcurrencyLimitLayer,
    load_shed::LoadShedLayer,
    timeout::TimeoutLayer,
};
use tracing_subscriber::fmt::MakeWriter;
use zocket::{Code, Context, Error, Limits, Message, Next, Outgoing, Reply, Route, Router, Zocket, from_fn};

/// What is behind most of these tests: a route that answers, one that fails, and one that waits.
#[derive(Clone)]
struct State {
    runs: Arc<AtomicUsize>,
    begun: Arc<Semaphore>,
    gate: Arc<Notify>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            runs: Arc::default(),
            begun: Arc::new(Semaphore::new(0)),
            gate: Arc::default(),
        }
    }
}

type App = Zocket<State>;

fn app(state: &State, limits: Limits) -> App {
    builder(state, limits).build()
}

fn builder(state: &State, limits: Limits) -> zocket::Builder<State, Identity> {
    Zocket::builder()
        .on_connect_with(
            state.clone(),
            async |state: State, _: zocket::NoHeaders, _: zocket::ClientId| Ok(state),
        )
        .limits(limits)
}

/// Counts how often it runs.
async fn echo(cx: Context<State>) -> Result<&'static str, Error> {
    cx.runs.fetch_add(1, Ordering::SeqCst);
    Ok("here")
}

/// Says that it has begun, and waits to be let go.
async fn wait(cx: Context<State>) -> Result<&'static str, Error> {
    cx.runs.fetch_add(1, Ordering::SeqCst);
    cx.begun.add_permits(1);
    cx.gate.notified().await;
    Ok("done")
}

async fn never(_: Context<State>) -> Result<(), Error> {
    pending().await
}

async fn bug(_: Context<State>) -> Result<(), Error> {
    panic!("secret: the handler's")
}

fn router(zo: &App) -> Router<State> {
    zo.router()
        .incoming("echo", zo.message().handle(echo))
        .incoming("wait", zo.message().handle(wait))
        .incoming("never", zo.message().handle(never))
        .incoming("bug", zo.message().handle(bug))
}

async fn site() -> (State, Server) {
    let state = State::default();
    let zo = app(&state, Limits::default());
    let server = serve(zo.serve(router(&zo))).await;
    (state, server)
}

/// The next frame, which must be a refusal: its `rpcId`, and its code.
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

/// Waits until the server has read everything that was sent so far: it answers a ping in its order.
async fn read_so_far(client: &mut Client) {
    client
        .socket
        .send(tungstenite::Message::Ping("so far".into()))
        .await
        .unwrap();
    match client.socket.next().await {
        Some(Ok(tungstenite::Message::Pong(text))) if text == "so far" => {}
        other => panic!("expected a pong, got {other:?}"),
    }
}

/// The code that a call without payload is refused with.
async fn code(client: &mut Client, route: &str) -> String {
    let refusal = client.call(route, Value::Null).await.unwrap_err();
    refusal.code().to_owned()
}

// PARSE_ERROR

#[tokio::test]
async fn what_is_no_message_but_has_an_id_is_a_parse_error_under_that_id() {
    let (_, server) = site().await;
    let mut client = server.connect("").await;
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
async fn what_has_no_readable_id_is_a_parse_error_that_nobody_can_be_told_of() {
    let (state, server) = site().await;
    let mut client = server.connect("").await;
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
        r#"{"type":"echo","rpcId":"a"} {}"#,
        r#"{"type":"echo","rpcId":"a"#,
        r#"{'type':'echo','rpcId':'a'}"#,
        r#"{"type":"echo","rpcId":"a",}"#,
        r#"{"type":"echo","rpcId":NaN}"#,
        r#"{"type":"echo","rpcId":01}"#,
        "\u{feff}{\"type\":\"echo\",\"rpcId\":\"a\"}",
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
    // None was run, none was answered, and none has cost the connection.
    client.expect_nothing().await;
    assert_eq!(state.runs.load(Ordering::SeqCst), 0);
    assert_eq!(client.call("echo", Value::Null).await, Ok(Some(json!("here"))));
}

#[tokio::test]
async fn a_parse_error_says_what_was_expected_and_what_came() {
    let (_, server) = site().await;
    let mut client = server.connect("").await;
    client.send(json!({ "type": 7, "rpcId": "a" })).await;
    let refusal = client.answer(&json!("a")).await.unwrap_err();
    assert_eq!(refusal.message(), "type: expected a string, got a number");
}

// rpcId

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
    let (_, server) = site().await;
    let mut client = server.connect("").await;
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
async fn a_message_without_an_id_is_run_and_not_answered() {
    let (state, server) = site().await;
    let mut client = server.connect("").await;
    for text in [
        r#"{"type":"echo"}"#,
        r#"{"type":"echo","rpcId":null}"#,
        r#"{"type":"echo","rpcId":""}"#,
    ] {
        client.send_text(text).await;
    }
    client.expect_nothing().await;
    assert_eq!(state.runs.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_message_without_an_id_that_fails_is_silent_and_the_connection_goes_on() {
    let zo = app(&State::default(), Limits::default());
    let router = router(&zo).incoming(
        "strict",
        zo.message()
            .input::<Profile>()
            .handle(async |_, _: Profile| Ok(())),
    );
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
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
async fn a_message_whose_id_is_in_flight_is_not_run_and_the_id_is_answered_once() {
    let (state, server) = site().await;
    let mut client = server.connect("").await;
    let call = |route: &str| json!({ "type": route, "rpcId": "twice" });
    client.send(call("wait")).await;
    state.begun.acquire().await.unwrap().forget();
    client.send(call("wait")).await;
    client.send(call("echo")).await;
    read_so_far(&mut client).await;
    state.gate.notify_one();
    assert_eq!(
        client.next().await,
        json!({ "type": "__rpc_res", "payload": "done", "rpcId": "twice" })
    );
    client.expect_nothing().await;
    assert_eq!(state.runs.load(Ordering::SeqCst), 1);
    // Answered, the id is free again.
    client.send(call("echo")).await;
    assert_eq!(client.answer(&json!("twice")).await, Ok(Some(json!("here"))));
}

#[tokio::test]
async fn a_message_whose_id_is_still_queued_is_not_run_either() {
    let (state, server) = site().await;
    let mut client = server.connect("").await;
    let first = client.begin("wait", Value::Null).await;
    state.begun.acquire().await.unwrap().forget();
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
    assert_eq!(state.runs.load(Ordering::SeqCst), 2);
}

// NOT_FOUND

#[tokio::test]
async fn an_unknown_route_is_not_found() {
    let (_, server) = site().await;
    let mut client = server.connect("").await;
    let long = "x".repeat(10_000);
    for route in [
        "", "Echo", "echo.", ".echo", "echo.x", " echo", "echo\0", "e.cho", &long,
    ] {
        let refusal = client.call(route, Value::Null).await.unwrap_err();
        assert_eq!(refusal.code(), "NOT_FOUND", "{route}");
        assert!(
            refusal.message().len() < 500,
            "the message repeats all of the route"
        );
    }
}

#[tokio::test]
async fn a_clients_words_fill_no_log_and_forge_no_line_of_it() {
    let log = Log::capture();
    let (_, server) = site().await;
    let mut client = server.connect("").await;
    let long = "x".repeat(500_000);
    for route in [&long, "a\n2026-01-01T00:00:00Z ERROR forged\r\u{1b}[2J"] {
        assert_eq!(code(&mut client, route).await, "NOT_FOUND");
    }
    let log = log.text();
    assert!(log.len() < 5_000, "{} bytes were logged", log.len());
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01T")), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[tokio::test]
async fn types_of_the_protocols_own_are_refused() {
    let (_, server) = site().await;
    let mut client = server.connect("").await;
    for route in [
        "__",
        "__ping",
        "__pong",
        "__ack",
        "__welcome",
        "__error",
        "__rpc_res",
        "__rpc_err",
        "__proto__",
    ] {
        assert_eq!(code(&mut client, route).await, "NOT_FOUND", "{route}");
    }
    client.expect_nothing().await;
}

// BAD_REQUEST

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Profile {
    #[garde(length(chars, min = 3))]
    nick_name: String,
    #[garde(range(min = 18))]
    age: u8,
    #[garde(inner(length(chars, max = 3)))]
    tags: Vec<String>,
}

async fn profiles() -> Server {
    let zo = app(&State::default(), Limits::default());
    let save = zo
        .message()
        .input::<Profile>()
        .handle(async |cx: Context<State>, profile: Profile| {
            cx.runs.fetch_add(1, Ordering::SeqCst);
            Ok((profile.nick_name, profile.age, profile.tags))
        });
    serve(zo.serve(zo.router().incoming("save", save))).await
}

#[tokio::test]
async fn a_payload_of_the_wrong_shape_is_told_every_issue_by_the_names_of_the_wire() {
    let server = profiles().await;
    let mut client = server.connect("").await;
    let payload = json!({ "nickName": 7, "tags": ["ok", 1, null], "nick_name": "Ada" });
    let refusal = client.call("save", payload).await.unwrap_err();
    assert_eq!(refusal.code(), "BAD_REQUEST");
    let mut issues = refusal.issues();
    issues.sort();
    assert_eq!(
        issues,
        [
            "age: required",
            "nickName: type",
            "nick_name: unknown_key",
            "tags.1: type",
            "tags.2: type",
        ]
    );
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_payload_that_breaks_its_constraints_is_told_every_issue() {
    let server = profiles().await;
    let mut client = server.connect("").await;
    let payload = json!({ "nickName": "Al", "age": 17, "tags": ["a", "long", "longer"] });
    let refusal = client.call("save", payload).await.unwrap_err();
    assert_eq!(refusal.code(), "BAD_REQUEST");
    let mut issues = refusal.issues();
    issues.sort();
    assert_eq!(
        issues,
        [
            "age: minimum",
            "nickName: min_length",
            "tags.1: max_length",
            "tags.2: max_length",
        ]
    );
    let good = json!({ "nickName": "Ada", "age": 36, "tags": [] });
    assert_eq!(client.call("save", good).await, Ok(Some(json!(["Ada", 36, []]))));
}

#[tokio::test]
async fn a_payload_that_is_not_there_is_a_bad_request_where_one_is_needed() {
    let server = profiles().await;
    let mut client = server.connect("").await;
    for frame in [
        json!({ "type": "save", "rpcId": "a" }),
        json!({ "type": "save", "rpcId": "a", "payload": null }),
    ] {
        client.send(frame).await;
        let refusal = client.answer(&json!("a")).await.unwrap_err();
        assert_eq!(refusal.code(), "BAD_REQUEST");
        assert_eq!(refusal.issues(), [": type"]);
    }
}

// What the app refuses with.

const ROOM_FULL: Code = Code::app("ROOM_FULL");

#[tokio::test]
async fn a_handlers_refusal_is_told_by_the_code_and_the_words_it_chose() {
    let zo = app(&State::default(), Limits::default());
    let refuse = |error: fn() -> Error| {
        zo.message().handle(move |_: Context<State>| {
            let refusal = error();
            async move { Err::<(), _>(refusal) }
        })
    };
    let router = zo
        .router()
        .incoming("UNAUTHORIZED", refuse(|| Error::unauthorized("who are you?")))
        .incoming("FORBIDDEN", refuse(|| Error::forbidden("who are you?")))
        .incoming("NOT_FOUND", refuse(|| Error::not_found("who are you?")))
        .incoming("CONFLICT", refuse(|| Error::conflict("who are you?")))
        .incoming(
            "PRECONDITION_FAILED",
            refuse(|| Error::precondition_failed("who are you?")),
        );
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    for route in [
        "UNAUTHORIZED",
        "FORBIDDEN",
        "NOT_FOUND",
        "CONFLICT",
        "PRECONDITION_FAILED",
    ] {
        let refusal = client.call(route, Value::Null).await.unwrap_err();
        assert_eq!(refusal.0, json!({ "code": route, "message": "who are you?" }));
    }
}

#[tokio::test]
async fn what_caused_a_refusal_is_not_told() {
    let zo = app(&State::default(), Limits::default());
    let refuse = zo.message().handle(async |_: Context<State>| {
        Err::<(), _>(Error::conflict("taken").with_source(io::Error::other("secret")))
    });
    let server = serve(zo.serve(zo.router().incoming("refuse", refuse))).await;
    let refusal = server
        .connect("")
        .await
        .call("refuse", Value::Null)
        .await
        .unwrap_err();
    assert_eq!(refusal.0, json!({ "code": "CONFLICT", "message": "taken" }));
}

#[tokio::test]
async fn a_middlewares_refusal_keeps_the_handler_from_running() {
    async fn nobody(_: Context<State>) -> Result<(), Error> {
        Err(Error::forbidden("nobody may"))
    }
    async fn not_now(_: Message, _: Next) -> Result<Reply, Error> {
        Err(Error::precondition_failed("not now"))
    }
    async fn who_knows(cx: Context<State>, _: ()) -> Result<(State, ()), Error> {
        let _ = cx;
        Err(Error::unauthorized("log in first"))
    }
    let state = State::default();
    let zo = app(&state, Limits::default());
    let count = |cx: Context<()>| async move {
        let _ = cx;
        Ok(())
    };
    let closed = zo
        .router()
        .incoming("echo", zo.message().handle(echo))
        .layer(from_fn(not_now));
    let router = zo
        .router()
        .incoming("with", zo.message().with(nobody).handle(count))
        .incoming("with_input", zo.message().with_input(who_knows).handle(echo))
        .nest("closed", closed);
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    assert_eq!(code(&mut client, "with").await, "FORBIDDEN");
    assert_eq!(code(&mut client, "with_input").await, "UNAUTHORIZED");
    assert_eq!(code(&mut client, "closed.echo").await, "PRECONDITION_FAILED");
    assert_eq!(state.runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_apps_own_code_is_told_where_it_is_declared_and_internal_where_it_is_not() {
    async fn full(_: Context<State>) -> Result<(), Error> {
        Err(Error::new(ROOM_FULL, "this room holds 8 players"))
    }
    let log = Log::capture();
    let zo = app(&State::default(), Limits::default());
    let router = zo
        .router()
        .incoming("declared", zo.message().code(ROOM_FULL).handle(full))
        .incoming("undeclared", zo.message().handle(full))
        .incoming(
            "middleware",
            zo.message().with(full).handle(async |_: Context<()>| Ok(())),
        );
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    let refusal = client.call("declared", Value::Null).await.unwrap_err();
    assert_eq!(
        refusal.0,
        json!({ "code": "ROOM_FULL", "message": "this room holds 8 players" })
    );
    for route in ["undeclared", "middleware"] {
        let refusal = client.call(route, Value::Null).await.unwrap_err();
        assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
        assert!(!refusal.message().contains("8 players"), "{refusal:?}");
        // The log says what to do.
        assert!(log.line(&refusal).contains(".code("));
    }
}

#[tokio::test]
async fn an_undeclared_code_is_internal_behind_a_layer_that_wraps_errors_too() {
    #[derive(Debug)]
    struct Wrapped(Error);
    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl std::error::Error for Wrapped {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    async fn full(_: Message<(), Context<State>>, _: Next<(), Context<State>>) -> Result<Reply, Wrapped> {
        Err(Wrapped(Error::new(ROOM_FULL, "this room holds 8 players")))
    }
    let zo = app(&State::default(), Limits::default());
    let router = zo
        .router()
        .incoming(
            "declared",
            zo.message().code(ROOM_FULL).layer(from_fn(full)).handle(echo),
        )
        .incoming("undeclared", zo.message().layer(from_fn(full)).handle(echo));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    assert_eq!(code(&mut client, "declared").await, "ROOM_FULL");
    assert_eq!(code(&mut client, "undeclared").await, "INTERNAL_SERVER_ERROR");
}

// TIMEOUT

#[tokio::test]
async fn a_timeout_is_told_wherever_it_stands() {
    let soon = || TimeoutLayer::new(Duration::from_millis(20));
    let state = State::default();

    let zo = app(&state, Limits::default());
    let router = zo
        .router()
        .incoming("procedure", zo.message().layer(soon()).handle(never))
        .nest(
            "router",
            zo.router()
                .incoming("never", zo.message().handle(never))
                .incoming("echo", zo.message().handle(echo))
                .layer(soon()),
        );
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    assert_eq!(code(&mut client, "procedure").await, "TIMEOUT");
    assert_eq!(code(&mut client, "router.never").await, "TIMEOUT");
    assert_eq!(
        client.call("router.echo", Value::Null).await,
        Ok(Some(json!("here")))
    );

    let zo = builder(&state, Limits::default()).layer(soon()).build();
    let router = zo
        .router()
        .incoming("never", zo.message().handle(never))
        .incoming("echo", zo.message().handle(echo));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    assert_eq!(code(&mut client, "never").await, "TIMEOUT");
    assert_eq!(client.call("echo", Value::Null).await, Ok(Some(json!("here"))));
}

// OVERLOADED

#[tokio::test]
async fn load_that_is_shed_is_overload() {
    let state = State::default();
    let zo = app(&state, Limits::default());
    let one = ServiceBuilder::new()
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .into_inner();
    let wait = zo.message().layer(one).handle(wait);
    let server = serve(zo.serve(zo.router().incoming("wait", wait))).await;
    let (mut first, mut second) = (server.connect("").await, server.connect("").await);
    let id = first.begin("wait", Value::Null).await;
    state.begun.acquire().await.unwrap().forget();
    assert_eq!(code(&mut second, "wait").await, "OVERLOADED");
    state.gate.notify_one();
    assert_eq!(first.answer(&id).await, Ok(Some(json!("done"))));
    // What it shed was this one's load, not this one.
    let id = second.begin("wait", Value::Null).await;
    state.begun.acquire().await.unwrap().forget();
    state.gate.notify_one();
    assert_eq!(second.answer(&id).await, Ok(Some(json!("done"))));
}

#[tokio::test]
async fn load_that_the_whole_app_sheds_is_overload() {
    let state = State::default();
    let zo = builder(&state, Limits::default())
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .build();
    let server = serve(zo.serve(zo.router().incoming("wait", zo.message().handle(wait)))).await;
    let (mut first, mut second) = (server.connect("").await, server.connect("").await);
    let id = first.begin("wait", Value::Null).await;
    state.begun.acquire().await.unwrap().forget();
    assert_eq!(code(&mut second, "wait").await, "OVERLOADED");
    state.gate.notify_one();
    assert_eq!(first.answer(&id).await, Ok(Some(json!("done"))));
}

/// A buffer, and what closes it.
#[derive(Clone, Default)]
struct Buffered(Arc<Mutex<Option<tokio::task::AbortHandle>>>);

impl Buffered {
    fn around<S>(&self, service: S) -> Buffer<Message, S::Future>
    where
        S: Service<Message, Response = Reply, Error = BoxError> + Send + 'static,
        S::Future: Send,
    {
        let (buffer, worker) = Buffer::pair(service, 8);
        *self.0.lock().unwrap() = Some(tokio::spawn(worker).abort_handle());
        buffer
    }

    async fn close(&self) {
        let worker = self.0.lock().unwrap().take().unwrap();
        worker.abort();
        until(|| worker.is_finished()).await;
    }
}

#[tokio::test]
async fn a_routes_closed_buffer_is_overload_and_costs_no_other_route() {
    let (state, buffered) = (State::default(), Buffered::default());
    let zo = app(&state, Limits::default());
    let layer = {
        let buffered = buffered.clone();
        layer_fn(move |route: Route| buffered.around(route))
    };
    let inner = zo
        .router()
        .incoming("echo", zo.message().handle(echo))
        .layer(layer);
    let router = zo
        .router()
        .nest("buffered", inner)
        .incoming("echo", zo.message().handle(echo));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    assert_eq!(
        client.call("buffered.echo", Value::Null).await,
        Ok(Some(json!("here")))
    );
    buffered.close().await;
    assert_eq!(code(&mut client, "buffered.echo").await, "OVERLOADED");
    assert_eq!(code(&mut client, "buffered.echo").await, "OVERLOADED");
    assert_eq!(client.call("echo", Value::Null).await, Ok(Some(json!("here"))));
}

#[tokio::test]
async fn a_whole_apps_closed_buffer_is_overload_and_then_the_end() {
    let (state, buffered) = (State::default(), Buffered::default());
    let layer = {
        let buffered = buffered.clone();
        layer_fn(move |router: zocket::RouterService| buffered.around(router))
    };
    let zo = builder(&state, Limits::default()).layer(layer).build();
    let server = serve(zo.serve(zo.router().incoming("echo", zo.message().handle(echo)))).await;
    let mut client = server.connect("").await;
    assert_eq!(client.call("echo", Value::Null).await, Ok(Some(json!("here"))));
    buffered.close().await;
    assert_eq!(code(&mut client, "echo").await, "OVERLOADED");
    assert_eq!(client.closed().await, (1011, "unavailable".to_owned()));
    drop(client);
    until(|| zo.connections() == 0).await;
}

#[derive(Serialize, JsonSchema)]
struct Tick(String);

impl Outgoing for Tick {
    const TYPE: &'static str = "tick";
}

#[tokio::test]
async fn a_room_that_can_take_no_more_is_overload() {
    async fn flood(cx: Context<State>) -> Result<(), Error> {
        cx.rooms().join("room")?;
        for _ in 0..20 {
            cx.send(Tick("x".repeat(1_000))).to_room("room");
        }
        Ok(())
    }
    async fn flushed(cx: Context<State>) -> Result<String, Error> {
        cx.rooms().join("room")?;
        for _ in 0..20 {
            cx.send(Tick("x".repeat(1_000))).to_room("room");
        }
        Ok(cx.flush().await.unwrap_err().code().to_string())
    }
    let zo = app(
        &State::default(),
        Limits {
            room_backlog: 5_000,
            ..Limits::default()
        },
    );
    let router = zo
        .router()
        .outgoing::<Tick>()
        .incoming("flood", zo.message().handle(flood))
        .incoming("atomic", zo.message().atomic().handle(flood))
        .incoming("flushed", zo.message().handle(flushed));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    for route in ["flood", "atomic"] {
        assert_eq!(code(&mut client, route).await, "OVERLOADED", "{route}");
        // What the room did take was delivered, before the refusal.
        let mut ticks = 0;
        while client.call("no.such.route", Value::Null).await.is_err() && ticks < 5 {
            client.event("tick").await;
            ticks += 1;
        }
        client.expect_nothing().await;
    }
    // Told by the flush, it is no longer the message's failure.
    assert_eq!(
        client.call("flushed", Value::Null).await,
        Ok(Some(json!("OVERLOADED")))
    );
}

// TOO_MANY_REQUESTS

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    async fn limited(_: Context<State>) -> Result<(), Error> {
        Err(Error::too_many_requests(Duration::from_micros(1_500_001)))
    }
    let zo = app(&State::default(), Limits::default());
    let limited = zo.message().with(limited).handle(async |_: Context<()>| Ok(()));
    let server = serve(zo.serve(zo.router().incoming("limited", limited))).await;
    let refusal = server
        .connect("")
        .await
        .call("limited", Value::Null)
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), "TOO_MANY_REQUESTS");
    // Rounded up: who comes back then is not too early.
    assert_eq!(refusal.0["retryAfterMs"], 1501);
}

// PAYLOAD_TOO_LARGE

#[tokio::test]
async fn a_payload_larger_than_its_route_takes_is_refused_unread() {
    let zo = app(&State::default(), Limits::default());
    let router = zo
        .router()
        .incoming("small", zo.message().max_payload(10).handle(echo))
        .incoming("echo", zo.message().handle(echo));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    // With its quotes: ten bytes, eleven bytes.
    assert!(client.call("small", json!("x".repeat(8))).await.is_ok());
    let refusal = client.call("small", json!("x".repeat(9))).await.unwrap_err();
    assert_eq!(refusal.code(), "PAYLOAD_TOO_LARGE");
    assert!(client.call("echo", json!("x".repeat(9))).await.is_ok());
}

#[tokio::test]
async fn an_event_larger_than_the_limit_is_refused_and_reaches_nobody() {
    async fn shout(cx: Context<State>) -> Result<(), Error> {
        cx.send(Tick("x".repeat(5_000))).broadcast();
        Ok(())
    }
    async fn answer(_: Context<State>) -> Result<String, Error> {
        Ok("x".repeat(5_000))
    }
    let zo = app(
        &State::default(),
        Limits {
            message: 4_000,
            ..Limits::default()
        },
    );
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
    let zo = app(
        &state,
        Limits {
            message: 1_000,
            ..Limits::default()
        },
    );
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
    assert_eq!(state.runs.load(Ordering::SeqCst), 1);
    drop(client);

    // In fragments, each of which would fit.
    let mut raw = server.raw().await;
    let part = "x".repeat(600);
    raw.write(&frame(TEXT, part.as_bytes())).await;
    raw.write(&frame(FIN | CONTINUATION, part.as_bytes())).await;
    assert_eq!(raw.closed().await, (1009, "message-too-large".to_owned()));
    drop(raw);

    // By its announced length alone.
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

// INTERNAL_SERVER_ERROR

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

struct Captured {
    log: Log,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Log {
    fn capture() -> Captured {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        Captured { log, _guard }
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap()
    }

    /// The log's line under the id that a refusal names.
    fn line(&self, refusal: &common::Refusal) -> String {
        let id = refusal.message().strip_prefix("internal error ").unwrap();
        assert_eq!(id.len(), 36, "{id}");
        let of_detail = |line: &&str| line.contains(id) && line.contains("ERROR");
        self.text()
            .lines()
            .find(of_detail)
            .expect("the log knows the id")
            .to_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A layer that panics in one of three places.
#[derive(Clone)]
struct Bug<S> {
    inner: S,
    place: &'static str,
}

impl<S: Service<Message>> Service<Message> for Bug<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        assert!(self.place != "poll_ready", "secret: in poll_ready");
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, message: Message) -> Self::Future {
        assert!(self.place != "call", "secret: in call");
        self.inner.call(message)
    }
}

/// Internal, without detail; the log has the detail, under the id that both have.
async fn assert_concealed(client: &mut Client, route: &str, log: &Captured) {
    let refusal = client.call(route, Value::Null).await.unwrap_err();
    assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR", "{route}");
    assert!(!refusal.0.to_string().contains("secret"), "{refusal:?}");
    assert!(log.line(&refusal).contains("secret"), "{route}");
}

#[tokio::test]
async fn a_panic_is_internal_and_its_detail_is_in_the_log_alone() {
    async fn middleware(_: Context<State>) -> Result<(), Error> {
        panic!("secret: in a middleware")
    }
    async fn layer(_: Message, _: Next) -> Result<Reply, Error> {
        panic!("secret: in a layer")
    }
    async fn later(_: Context<State>) -> Result<(), Error> {
        tokio::task::yield_now().await;
        std::panic::panic_any(String::from("secret: after a while"))
    }
    #[derive(JsonSchema)]
    struct Unwritable;
    impl Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("secret: in Serialize")
        }
    }
    let log = Log::capture();
    let state = State::default();
    let zo = app(&state, Limits::default());
    let with_bug = |place| {
        zo.router()
            .incoming("echo", zo.message().handle(echo))
            .layer(layer_fn(move |inner: Route| Bug { inner, place }))
    };
    let router = router(&zo)
        .incoming("later", zo.message().handle(later))
        .incoming(
            "middleware",
            zo.message()
                .with(middleware)
                .handle(async |_: Context<()>| Ok(())),
        )
        .incoming(
            "answer",
            zo.message().handle(async |_: Context<State>| Ok(Unwritable)),
        )
        .nest(
            "layer",
            zo.router()
                .incoming("echo", zo.message().handle(echo))
                .layer(from_fn(layer)),
        )
        .nest("ready", with_bug("poll_ready"))
        .nest("call", with_bug("call"));
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    for route in [
        "bug",
        "later",
        "middleware",
        "answer",
        "layer.echo",
        "ready.echo",
        "call.echo",
    ] {
        assert_concealed(&mut client, route, &log).await;
    }
    assert_eq!(client.call("echo", Value::Null).await, Ok(Some(json!("here"))));
    assert_eq!(
        state.runs.load(Ordering::SeqCst),
        1,
        "a handler behind a panic was run"
    );
}

#[tokio::test]
async fn a_panic_in_a_layer_of_the_whole_app_is_internal_too() {
    for place in ["poll_ready", "call"] {
        let log = Log::capture();
        let layer = layer_fn(move |inner: zocket::RouterService| Bug { inner, place });
        let zo = builder(&State::default(), Limits::default()).layer(layer).build();
        let server = serve(zo.serve(zo.router().incoming("echo", zo.message().handle(echo)))).await;
        let mut client = server.connect("").await;
        assert_concealed(&mut client, "echo", &log).await;
        assert_concealed(&mut client, "echo", &log).await;
    }
}

#[tokio::test]
async fn a_failure_that_is_not_the_clients_business_is_internal() {
    async fn wrapped(_: Context<State>) -> Result<(), Error> {
        Err(Error::internal(io::Error::other("secret: the database is gone")))
    }
    async fn foreign(_: Message, _: Next) -> Result<Reply, io::Error> {
        Err(io::Error::other("secret: a layer's own error"))
    }
    async fn worded(_: Context<State>) -> Result<(), Error> {
        Err(Error::new(Code::INTERNAL_SERVER_ERROR, "secret words"))
    }
    async fn undeclared(cx: Context<State>) -> Result<(), Error> {
        cx.send(Tick("secret".into())).broadcast();
        Ok(())
    }
    let log = Log::capture();
    let zo = app(&State::default(), Limits::default());
    let router = zo
        .router()
        .incoming("wrapped", zo.message().handle(wrapped))
        .incoming("worded", zo.message().handle(worded))
        .incoming("undeclared", zo.message().handle(undeclared))
        .nest(
            "foreign",
            zo.router()
                .incoming("echo", zo.message().handle(echo))
                .layer(from_fn(foreign)),
        );
    let server = serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    for route in ["wrapped", "worded", "foreign.echo"] {
        assert_concealed(&mut client, route, &log).await;
    }
    // An event that no router declares.
    let refusal = client.call("undeclared", Value::Null).await.unwrap_err();
    assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
    assert!(log.line(&refusal).contains("tick"));
    client.expect_nothing().await;
}

// What breaks RFC 6455 itself.

#[tokio::test]
async fn a_violation_of_rfc_6455_closes_with_its_code() {
    let (_, server) = site().await;
    let mut bystander = server.connect("").await;
    let hello = br#"{"type":"echo","rpcId":"a"}"#;
    let unmasked = [&[FIN | TEXT, hello.len() as u8][..], hello].concat();
    for (what, bytes, code) in [
        ("no mask", unmasked, 1002),
        ("reserved bit 1", frame(FIN | 0x40 | TEXT, hello), 1002),
        ("reserved bit 2", frame(FIN | 0x20 | TEXT, hello), 1002),
        ("reserved bit 3", frame(FIN | 0x10 | TEXT, hello), 1002),
        ("opcode 3", frame(FIN | 3, hello), 1002),
        ("opcode 7", frame(FIN | 7, hello), 1002),
        ("opcode 11", frame(FIN | 11, b""), 1002),
        ("opcode 15", frame(FIN | 15, b""), 1002),
        ("nothing to continue", frame(FIN | CONTINUATION, hello), 1002),
        (
            "a message within a message",
            [frame(TEXT, hello), frame(FIN | TEXT, hello)].concat(),
            1002,
        ),
        ("a fragmented ping", frame(PING, b""), 1002),
        ("a fragmented close", frame(CLOSE, b""), 1002),
        ("a ping of 126 bytes", frame(FIN | PING, &[0; 126]), 1002),
        (
            "a close of 126 bytes",
            frame(FIN | CLOSE, &[[3, 232].as_slice(), &[b'x'; 124]].concat()),
            1002,
        ),
        ("half a close code", frame(FIN | CLOSE, &[3]), 1002),
        ("close code 999", frame(FIN | CLOSE, &999_u16.to_be_bytes()), 1002),
        (
            "close code 1005",
            frame(FIN | CLOSE, &1005_u16.to_be_bytes()),
            1002,
        ),
        (
            "a length with its highest bit",
            head(FIN | BINARY, 1 << 63),
            // Too large as well; both tell the truth.
            1009,
        ),
        ("text that is no UTF-8", frame(FIN | TEXT, b"\"\xff\""), 1007),
        ("text that ends within a letter", frame(FIN | TEXT, b"\xc3"), 1007),
        ("a surrogate in UTF-8", frame(FIN | TEXT, b"\xed\xa0\x80"), 1007),
        (
            "fragments that are no UTF-8",
            [frame(TEXT, b"\xc3"), frame(FIN | CONTINUATION, b"x")].concat(),
            1007,
        ),
        (
            "a close reason that is no UTF-8",
            frame(FIN | CLOSE, &[3, 232, 0xff]),
            1007,
        ),
    ] {
        let mut raw = server.raw().await;
        raw.write(&bytes).await;
        assert_eq!(raw.closed().await.0, code, "{what}");
        raw.write(&frame(FIN | CLOSE, &code.to_be_bytes())).await;
        raw.hung_up().await;
    }
    bystander.expect_nothing().await;
}

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let (_, server) = site().await;
    for (payload, code) in [
        (&b"\x03\xe8bye"[..], Some(1000)),
        (b"\x0b\xb8", Some(3000)),
        (b"\x0f\xa0", Some(4000)),
        (b"", None),
    ] {
        let mut raw = server.raw().await;
        raw.write(&frame(FIN | CLOSE, payload)).await;
        let (first, answer) = raw.read_frame().await.unwrap();
        assert_eq!(first, FIN | CLOSE);
        assert_eq!(answer.first_chunk().map(|code| u16::from_be_bytes(*code)), code);
        raw.hung_up().await;
    }
}

#[tokio::test]
async fn a_malformed_message_never_closes_the_connection() {
    let (_, server) = site().await;
    let mut client = server.connect("").await;
    for bytes in [&b"\xff\xfe"[..], b"{\"type\":\"\xff\"}", b"", b"\0", b"[[[["] {
        client
            .socket
            .send(tungstenite::Message::binary(bytes.to_vec()))
            .await
            .unwrap();
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_binary_message_is_read_like_text_even_in_the_handshakes_packet() {
    let (_, server) = site().await;
    let mut raw = server.dial().await;
    let message = frame(FIN | BINARY, br#"{"type":"echo","rpcId":"a"}"#);
    raw.write(&[handshake("").as_bytes(), &message].concat()).await;
    assert!(raw.read_http().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(
        raw.read_text().await,
        r#"{"type":"__rpc_res","payload":"here","rpcId":"a"}"#
    );
}
