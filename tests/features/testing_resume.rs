//! The test kit's client cuts its connection, and comes back to its session.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use garde::Validate;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, time::sleep};
use zocket::{
    ClientId, Context, Error, Limits, Outgoing, Reason, Zocket,
    client::{CallError, Outage},
    testing::{TestApp, TestClient},
};

const WINDOW: Duration = Duration::from_secs(10);

#[derive(Clone, Serialize, Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(skip)]
    name: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Said(String);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Text(#[garde(skip)] String);

#[derive(Default)]
struct State {
    left: Mutex<Vec<Reason>>,
    added: Mutex<Vec<String>>,
}

struct User {
    name: String,
    state: Arc<State>,
    gate: Arc<Semaphore>,
}

struct World {
    zo: Zocket<User>,
    app: TestApp,
    state: Arc<State>,
    gate: Arc<Semaphore>,
}

impl World {
    /// Returns an app whose own window is another one, and a kit with `WINDOW`.
    fn new(limits: Limits) -> Self {
        let (state, gate) = (Arc::new(State::default()), Arc::new(Semaphore::new(0)));
        let zo = Zocket::builder()
            .limits(limits)
            .on_connect_with(
                (state.clone(), gate.clone()),
                async |(state, gate): (Arc<State>, Arc<Semaphore>), headers: Headers, _: ClientId| {
                    let name = headers.name;
                    Ok(User { name, state, gate })
                },
            )
            .on_open(async |cx: Context<User>| {
                if cx.name == "waits" {
                    drop(cx.gate.acquire().await);
                }
                cx.rooms().join("lobby")
            })
            .on_disconnect(async |cx: Context<User>, reason: Reason| cx.state.left.lock().push(reason))
            .build();
        let add = async |cx: Context<User>, Text(text): Text| {
            cx.state.added.lock().push(text.clone());
            Ok::<_, Error>(text)
        };
        let wait = async |cx: Context<User>| {
            drop(cx.gate.acquire().await);
            Ok::<_, Error>(cx.name.clone())
        };
        let router = zo
            .router()
            .outgoing::<Said>()
            .incoming("add", zo.message().input::<Text>().handle(add))
            .incoming("wait", zo.message().handle(wait));
        let app = TestApp::new(zo.serve(router)).resume_within(WINDOW);
        Self { zo, app, state, gate }
    }

    async fn connect(&self, name: &str) -> TestClient {
        let name = name.to_owned();
        let mut client = self.app.connect(&Headers { name }).await.unwrap();
        // `on_open` has completed before the first message is handled.
        client.call_route::<String>("add", "first").await.unwrap();
        client
    }

    fn say(&self, text: impl Into<String>) {
        self.zo
            .emitter()
            .send(Said(text.into()))
            .to_room("lobby")
            .unwrap();
    }

    fn left(&self) -> Vec<Reason> {
        self.state.left.lock().clone()
    }
}

#[tokio::test]
async fn a_client_that_comes_back_has_its_rooms_events_and_answers() {
    let world = World::new(Limits::default());
    let mut ann = world.connect("Ann").await;
    let id = ann.client_id();
    world.say("before");
    let waiting = ann.begin_route("wait", &()).await.unwrap();
    ann.cut();
    ann.parked().await;
    world.say("meanwhile");
    world.gate.add_permits(1);
    assert!(ann.resume().await.unwrap());
    assert_eq!(ann.client_id(), id);
    assert_eq!(ann.answer::<String>(waiting).await.unwrap(), "Ann");
    world.say("after");
    for text in ["before", "meanwhile", "after"] {
        assert_eq!(ann.expect::<Said>().await, Said(text.to_owned()));
    }
    ann.expect_nothing().await;
    assert_eq!(world.left(), []);
    ann.close().await;
    assert_eq!(world.zo.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_too_late_has_a_new_session() {
    // The window of the test counts, and not the app's.
    for own in [Duration::ZERO, Duration::from_secs(3_600)] {
        let world = World::new(Limits::default().resume_within(own));
        let mut ann = world.connect("Ann").await;
        let id = ann.client_id();
        let waiting = ann.begin_route("wait", &()).await.unwrap();
        ann.cut();
        sleep(WINDOW - Duration::from_secs(1)).await;
        ann.parked().await;
        assert_eq!(world.left(), []);
        world.gate.add_permits(1);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(world.left(), [Reason::Expired]);
        assert!(!ann.resume().await.unwrap());
        assert_ne!(ann.client_id(), id);
        let lost = ann.answer::<String>(waiting).await;
        assert!(matches!(lost, Err(CallError::Disconnected { .. })), "{lost:?}");
        assert_eq!(ann.call_route::<String>("add", "new").await.unwrap(), "new");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_window_a_cut_ends_the_session_at_once() {
    let world = World::new(Limits::default());
    let app = world.app.clone().resume_within(Duration::ZERO);
    let mut ann = app
        .connect(&Headers {
            name: "Ann".to_owned(),
        })
        .await
        .unwrap();
    ann.call_route::<String>("add", "first").await.unwrap();
    ann.cut();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(world.left(), [Reason::Cut]);
    let panic = tokio::spawn(async move { ann.resume().await.is_ok() })
        .await
        .unwrap_err();
    let told = panic.into_panic();
    let told = told.downcast_ref::<String>().unwrap();
    assert!(told.contains("set `TestApp::resume_within`"), "{told}");
    assert!(told.starts_with("tests/features/testing_resume.rs:"), "{told}");
}

#[tokio::test]
async fn a_call_that_never_arrived_is_sent_again_and_runs_once() {
    let world = World::new(Limits::default());
    let mut ann = world.connect("Ann").await;
    for n in 0..5 {
        // The app does not notice this break.
        ann.freeze();
        let call = ann.begin_route("add", &n.to_string()).await.unwrap();
        ann.cut();
        assert!(ann.resume().await.unwrap());
        assert_eq!(ann.answer::<String>(call).await.unwrap(), n.to_string());
    }
    assert_eq!(*world.state.added.lock(), ["first", "0", "1", "2", "3", "4"]);
    ann.expect_nothing().await;
}

#[tokio::test]
async fn the_client_acknowledges_what_it_reads() {
    let world = World::new(Limits::default().record(10_000));
    let mut ann = world.connect("Ann").await;
    for round in 0..3 {
        for n in 0..100 {
            world.say(format!("{n:>500}"));
            assert_eq!(ann.expect::<Said>().await.0.trim(), n.to_string());
        }
        ann.expect_nothing().await;
        ann.cut();
        assert!(ann.resume().await.unwrap(), "round {round}");
    }
}

#[tokio::test]
async fn frames_that_are_sent_as_they_are_count_too() {
    let world = World::new(Limits::default());
    let mut ann = world.connect("Ann").await;
    for text in [
        "{",
        r#"{"type":"none"}"#,
        r#"{"type":"__ping"}"#,
        r#"{"type":"add","payload":"raw"}"#,
    ] {
        ann.send_text(text).await.unwrap();
    }
    // The kit checks the numbers in the welcome.
    ann.cut();
    assert!(ann.resume().await.unwrap());
    assert_eq!(ann.expect_error().await.refusal.code, "PARSE_ERROR");
    assert_eq!(ann.expect_error().await.refusal.code, "NOT_FOUND");
    ann.expect_nothing().await;
    assert_eq!(*world.state.added.lock(), ["first", "raw"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_with_other_headers_is_a_stranger() {
    let world = World::new(Limits::default());
    let mut ann = world.connect("Ann").await;
    let id = ann.client_id();
    ann.cut();
    let bob = Headers {
        name: "Bob".to_owned(),
    };
    assert!(!world.app.handshake().resume(&mut ann, &bob).await.unwrap());
    assert_ne!(ann.client_id(), id);
}

#[tokio::test]
async fn a_session_that_the_app_ends_meanwhile_has_its_close() {
    let world = World::new(Limits::default());
    let mut ann = world.connect("Ann").await;
    ann.cut();
    ann.parked().await;
    let context = world.zo.contexts().pop().unwrap();
    context.close(4_000, "banned");
    let Err(Outage::Closed { code, reason }) = ann.resume().await else {
        panic!("expected a Close")
    };
    assert_eq!((code, reason.as_str()), (4_000, "banned"));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_instead_of_being_parked_fails_the_test() {
    let world = World::new(Limits::default());
    let waits = Headers {
        name: "waits".to_owned(),
    };
    let ann = world.app.connect(&waits).await.unwrap();
    ann.cut();
    let panic = tokio::spawn(async move { ann.parked().await }).await.unwrap_err();
    let told = panic.into_panic();
    let told = told.downcast_ref::<String>().unwrap();
    assert!(told.contains("but it has ended"), "{told}");
    // A client that is connected is not parked.
    let bob = world.connect("Bob").await;
    assert!(bob.parked().now_or_never().is_none());
}
