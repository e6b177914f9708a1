//! The test kit: its view of an app, and its failure messages.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;
use tower::{ServiceExt, timeout::TimeoutLayer};
use zocket::{
    ClientId, Code, Context, Error, Message, Outgoing, RawPayload, Zocket,
    client::{CallError, Outage},
    testing::{TestApp, TestClient},
};

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(length(chars, min = 1))]
    name: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Post {
    #[garde(length(chars, min = 1))]
    text: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Said {
    text: String,
}

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// An event that no router declares.
#[derive(Serialize, JsonSchema)]
struct Secret;

impl Outgoing for Secret {
    const TYPE: &'static str = "secret";
}

struct World {
    zo: Zocket<String>,
    app: TestApp,
    gone: Arc<AtomicUsize>,
}

fn post(text: &str) -> Post {
    Post {
        text: text.to_owned(),
    }
}

async fn say(cx: Context<String>, input: Post) -> Result<(), Error> {
    cx.send(Said { text: input.text }).to_room("lobby");
    Ok(())
}

impl World {
    fn new() -> Self {
        let gone = Arc::new(AtomicUsize::new(0));
        let leaving = gone.clone();
        let zo = Zocket::builder()
            .on_connect(
                async |headers: Headers, _: ClientId| match headers.name.as_str() {
                    "stranger" => Err(Error::unauthorized("who are you?")),
                    _ => Ok(headers.name),
                },
            )
            .on_open(async |cx: Context<String>| cx.rooms().join("lobby"))
            .on_disconnect(move |_: Context<String>| {
                leaving.fetch_add(1, Ordering::SeqCst);
                std::future::ready(())
            })
            .build();
        let slow = async |_: Context<String>| {
            sleep(Duration::from_secs(7_200)).await;
            Ok(())
        };
        let hour = TimeoutLayer::new(Duration::from_secs(3_600));
        let router = zo
            .router()
            .outgoing::<Said>()
            .incoming("post", zo.message().input::<Post>().handle(say))
            .incoming("slow", zo.message().layer(hour).handle(slow));
        let app = TestApp::new(zo.serve(router));
        Self { zo, app, gone }
    }

    async fn connect(&self, name: &str) -> TestClient {
        self.app.connect(&json!({ "name": name })).await.unwrap()
    }
}

/// Returns the panic message of an expectation that fails.
async fn panic_message(work: impl Future<Output = ()> + Send + 'static) -> String {
    let panic = tokio::spawn(work).await.unwrap_err().into_panic();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[tokio::test]
async fn a_refused_handshake_returns_the_reason() {
    let world = World::new();
    let refused = async |name: &str| match world.app.connect(&json!({ "name": name })).await {
        Err(Outage::Refused { status, refusal }) => (status, *refusal),
        other => panic!("{other:?}"),
    };
    let (status, refusal) = refused("").await;
    assert_eq!((status, refusal.issues[0].code.as_ref()), (400, "min_length"));
    let (status, refusal) = refused("stranger").await;
    assert_eq!((status, refusal.message.as_str()), (401, "who are you?"));
}

#[tokio::test]
async fn a_handshake_can_set_path_and_header_fields() {
    let zo = Zocket::builder()
        .on_connect(
            async |headers: Headers, _: ClientId, request: http::request::Parts| {
                let cookie = request
                    .headers
                    .get("cookie")
                    .map(|cookie| cookie.to_str().unwrap());
                assert_eq!((request.uri.path(), cookie), ("/ws", Some("a=b")));
                Ok(headers.name)
            },
        )
        .any_origin()
        .build();
    let whoami = zo
        .message()
        .handle(async |cx: Context<String>| Ok(cx.to_string()));
    let app = TestApp::new(zo.serve(zo.router().incoming("whoami", whoami)));
    let handshake = app.handshake().path("/ws?name=Ann").header("cookie", "a=b");
    let mut ann = handshake.connect(&()).await.unwrap();
    assert_eq!(ann.call_route::<String>("whoami", &()).await.unwrap(), "Ann");
}

#[tokio::test]
async fn several_calls_can_be_in_flight() {
    let world = World::new();
    let mut ann = world.connect("Ann").await;
    let first = ann.begin_route("post", &post("1")).await.unwrap();
    let second = ann.begin_route("post", &post("")).await.unwrap();
    let refusal = ann.answer::<()>(second).await.unwrap_err();
    assert!(matches!(refusal, CallError::Refused(refusal) if refusal.is(Code::BAD_REQUEST)));
    ann.answer::<()>(first).await.unwrap();
    assert_eq!(ann.expect::<Said>().await.text, "1");
}

#[tokio::test]
async fn failures_of_messages_without_an_answer_are_reported() {
    let world = World::new();
    let mut ann = world.connect("Ann").await;
    ann.send_route("post", &post("")).await.unwrap();
    assert_eq!(ann.expect_error().await.route.as_deref(), Some("post"));
    ann.send_text("{").await.unwrap();
    assert!(ann.expect_error().await.refusal.is(Code::PARSE_ERROR));
}

#[tokio::test]
async fn an_unexpected_event_or_payload_fails_the_test() {
    let world = World::new();
    let (mut ann, mut bob) = (world.connect("Ann").await, world.connect("Bob").await);
    ann.call_route::<()>("post", &post("hi")).await.unwrap();
    #[derive(Debug, Deserialize, Serialize, JsonSchema)]
    struct Other;
    impl Outgoing for Other {
        const TYPE: &'static str = "other";
    }
    let told = panic_message(async move { assert!(matches!(ann.expect().await, Other)) }).await;
    assert!(told.contains("expected `other`, got `said`"), "{told}");
    assert!(told.starts_with("tests/features/testing.rs:"), "{told}");
    #[derive(Debug, Deserialize, Serialize, JsonSchema)]
    struct Shaped {
        number: u8,
    }
    impl Outgoing for Shaped {
        const TYPE: &'static str = "said";
    }
    let told = panic_message(async move { assert_eq!(bob.expect::<Shaped>().await.number, 0) }).await;
    assert!(told.contains("missing field `number`"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_event_fails_the_test() {
    let world = World::new();
    let mut ann = world.connect("Ann").await;
    let told = panic_message(async move { drop(ann.expect::<Said>().await) }).await;
    assert!(told.contains("expected said within"), "{told}");
}

#[tokio::test]
async fn expect_nothing_covers_everything_sent_so_far() {
    let world = World::new();
    // Enough members that the hub's background task notifies them.
    let mut members = join_all((0..300).map(|_| world.connect("one of many"))).await;
    let mut last = members.pop().unwrap();
    last.expect_nothing().await;
    members[0].call_route::<()>("post", &post("hi")).await.unwrap();
    assert_eq!(
        last.events().await,
        [("said".to_owned(), json!({ "text": "hi" }))]
    );
    members[0].call_route::<()>("post", &post("again")).await.unwrap();
    let told = panic_message(async move { last.expect_nothing().await }).await;
    assert!(
        told.contains("expected nothing, got") && told.contains("again"),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn advancing_an_hour_takes_no_time_and_answers_pings() {
    let world = World::new();
    let mut ann = world.connect("Ann").await;
    let slow = ann.begin_route("slow", &()).await.unwrap();
    sleep(Duration::from_secs(3_601)).await;
    let refusal = ann.answer::<()>(slow).await.unwrap_err();
    assert!(matches!(refusal, CallError::Refused(refusal) if refusal.is(Code::TIMEOUT)));
    assert_eq!(world.zo.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_cut_is_noticed_by_both_sides() {
    let world = World::new();
    let (mut ann, mut bob) = (world.connect("Ann").await, world.connect("Bob").await);
    ann.cut();
    assert_eq!(ann.closed().await, (1006, String::new()));
    let call = ann.call_route::<()>("post", &post("hi")).await;
    assert!(matches!(call, Err(CallError::Disconnected { .. })), "{call:?}");
    // Both clients are paused until every task is idle.
    sleep(Duration::from_millis(1)).await;
    assert_eq!(
        (world.gone.load(Ordering::SeqCst), world.zo.connections()),
        (1, 1)
    );
    bob.call_route::<()>("post", &post("alone")).await.unwrap();
    drop(bob);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(world.zo.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_connection_survives_if_resumed_in_time() {
    let world = World::new();
    let (mut ann, mut bob) = (world.connect("Ann").await, world.connect("Bob").await);
    ann.freeze();
    bob.call_route::<()>("post", &post("hi")).await.unwrap();
    sleep(Duration::from_secs(40)).await;
    ann.thaw();
    assert_eq!(ann.expect::<Said>().await.text, "hi");
    ann.freeze();
    sleep(Duration::from_secs(46)).await;
    assert_eq!(world.zo.connections(), 1);
    ann.thaw();
    assert_eq!(ann.closed().await.0, 1006);
    bob.close().await;
}

#[tokio::test]
async fn a_procedure_called_directly_knows_the_apps_declarations() {
    let world = World::new();
    let tell = async |cx: Context<String>| {
        cx.send(Secret).broadcast();
        cx.flush().await
    };
    let message = |route| {
        Message::new(
            world.zo.detached("Ann".to_owned()),
            route,
            RawPayload::json(r#"{"text":"hi"}"#),
        )
    };
    let refusal = world
        .zo
        .message()
        .handle(tell)
        .oneshot(message("tell"))
        .await
        .unwrap_err();
    let refusal = refusal.downcast_ref::<Error>().unwrap();
    assert_eq!(refusal.code(), Code::INTERNAL_SERVER_ERROR);
    let procedure = world.zo.message().input::<Post>().handle(say);
    let reply = procedure.oneshot(message("post")).await.unwrap();
    assert_eq!(reply.effects.len(), 1);
}
