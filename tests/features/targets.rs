//! Targets and actions on other clients, from handlers and the emitter, as those clients see them.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zocket::{
    ClientId, Code, Context, Error, Limits, Outgoing, Target, Zocket,
    client::CallError,
    testing::{TestApp, TestClient},
};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Said(String);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Name {
    #[garde(skip)]
    name: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Room(#[garde(skip)] String);

/// Returns an app whose clients all join the lobby.
fn app() -> Zocket<Name> {
    Zocket::builder()
        .on_connect(async |headers: Name, _: ClientId| Ok(headers))
        .on_open(async |cx: Context<Name>| cx.rooms().join("lobby"))
        .limits(Limits::default().rooms(3))
        .build()
}

fn start(zo: &Zocket<Name>) -> TestApp {
    let message = zo.message();
    let others = |cx: &Context<Name>| Target::room("lobby").except([cx.client_id()]);
    let tell = async |cx: Context<Name>, Room(room): Room| {
        cx.send(Said("others".to_owned()))
            .except([cx.client_id()])
            .to_room("lobby");
        cx.send(Said(format!("not {room}")))
            .except_rooms([room])
            .broadcast();
        Ok(())
    };
    let invite = move |cx: Context<Name>, Room(room): Room| async move {
        cx.clients(others(&cx)).join(room);
        Ok(())
    };
    let evict = async |cx: Context<Name>, Room(room): Room| {
        cx.clients(Target::room(room.as_str()))
            .except_rooms(["safe"])
            .leave(room);
        Ok(())
    };
    let kick = move |cx: Context<Name>| async move {
        cx.send(Said("bye".to_owned())).to_room("lobby");
        cx.clients(others(&cx)).disconnect(4001, "kicked");
        Ok(())
    };
    let try_to_kick = move |cx: Context<Name>| async move {
        cx.clients(others(&cx)).disconnect(4001, "kicked");
        Err::<(), _>(Error::forbidden("no"))
    };
    let router = zo
        .router()
        .outgoing::<Said>()
        .incoming("tell", message.clone().input::<Room>().handle(tell))
        .incoming("invite", message.clone().input::<Room>().handle(invite))
        .incoming("evict", message.clone().input::<Room>().handle(evict))
        .incoming("kick", message.clone().handle(kick))
        .incoming("nothing", message.clone().handle(async |_: Context<Name>| Ok(())))
        .incoming("tryToKick", message.atomic().handle(try_to_kick));
    TestApp::new(zo.serve(router))
}

/// Connects a client, and waits until it has joined the lobby.
async fn connect(app: &TestApp, name: &str) -> TestClient {
    let mut client = app.connect(&json!({ "name": name })).await.unwrap();
    client.call_route::<()>("nothing", &()).await.unwrap();
    client
}

/// Waits until every task is idle: the paused clock advances only then.
async fn run_until_idle() {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
}

async fn code(call: impl Future<Output = Result<(), CallError>>) -> String {
    call.await.unwrap_err().refusal().unwrap().code.clone()
}

#[tokio::test]
async fn a_handler_excludes_the_sender_and_the_members_of_a_room() {
    let zo = app();
    let app = start(&zo);
    let (mut ann, mut bob) = (connect(&app, "Ann").await, connect(&app, "Bob").await);
    ann.call_route::<()>("invite", "quiet").await.unwrap();
    ann.call_route::<()>("tell", "quiet").await.unwrap();
    assert_eq!(ann.expect::<Said>().await.0, "not quiet");
    ann.expect_nothing().await;
    assert_eq!(bob.expect::<Said>().await.0, "others");
    bob.expect_nothing().await;
}

#[tokio::test]
async fn a_handler_moves_other_clients_into_and_out_of_a_room() {
    let zo = app();
    let app = start(&zo);
    let mut ann = connect(&app, "Ann").await;
    let _bob = connect(&app, "Bob").await;
    let mut cy = connect(&app, "Cy").await;
    cy.call_route::<()>("invite", "den").await.unwrap();
    assert_eq!(zo.emitter().size("den").await, 2);
    ann.call_route::<()>("invite", "safe").await.unwrap();
    ann.call_route::<()>("evict", "den").await.unwrap();
    // Bob is excluded, and Ann was not in that room.
    assert_eq!(zo.emitter().size("den").await, 1);
}

#[tokio::test]
async fn an_impossible_action_on_others_fails_the_message() {
    let zo = app();
    let app = start(&zo);
    let mut ann = connect(&app, "Ann").await;
    let _bob = connect(&app, "Bob").await;
    for room in ["b", "c"] {
        ann.call_route::<()>("invite", room).await.unwrap();
    }
    assert_eq!(
        code(ann.call_route::<()>("invite", "d")).await,
        "PRECONDITION_FAILED"
    );
    assert_eq!(
        code(ann.call_route::<()>("invite", &"x".repeat(1_000))).await,
        "BAD_REQUEST"
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_disconnects_others_after_its_events() {
    let zo = app();
    let app = start(&zo);
    let (mut ann, mut bob) = (connect(&app, "Ann").await, connect(&app, "Bob").await);
    ann.call_route::<()>("kick", &()).await.unwrap();
    assert_eq!(bob.expect::<Said>().await.0, "bye");
    assert_eq!(bob.closed().await, (4001, "kicked".to_owned()));
    assert_eq!(ann.expect::<Said>().await.0, "bye");
    run_until_idle().await;
    assert_eq!(zo.connections(), 1);
}

#[tokio::test]
async fn a_failed_atomic_message_disconnects_no_client() {
    let zo = app();
    let app = start(&zo);
    let (mut ann, mut bob) = (connect(&app, "Ann").await, connect(&app, "Bob").await);
    assert_eq!(code(ann.call_route::<()>("tryToKick", &())).await, "FORBIDDEN");
    bob.expect_nothing().await;
}

#[tokio::test]
async fn the_emitter_supports_every_target_and_action() {
    let zo = app();
    let app = start(&zo);
    let (mut ann, mut bob) = (connect(&app, "Ann").await, connect(&app, "Bob").await);
    let of = |name: &str| {
        let contexts = zo.contexts();
        contexts.iter().find(|cx| cx.name == name).unwrap().client_id()
    };
    let (ann_id, bob_id) = (of("Ann"), of("Bob"));
    let emitter = zo.emitter();

    emitter.clients(ann_id).join("vip").unwrap();
    assert_eq!(emitter.clients(Target::room("vip")).ids().await, [ann_id]);
    assert_eq!(
        emitter
            .clients(Target::everyone())
            .except_rooms(["vip"])
            .ids()
            .await,
        [bob_id]
    );
    let plain = Said("plain".to_owned());
    emitter.send(plain).except_rooms(["vip"]).broadcast().unwrap();
    emitter.send(Said("vip".to_owned())).to_room("vip").unwrap();
    assert_eq!(bob.expect::<Said>().await.0, "plain");
    assert_eq!(ann.expect::<Said>().await.0, "vip");
    let refusal = emitter.clients(ann_id).join("x".repeat(1_000)).unwrap_err();
    assert_eq!(refusal.code(), Code::BAD_REQUEST);
    emitter.clients(Target::everyone()).leave("vip").unwrap();
    assert_eq!(emitter.size("vip").await, 0);
    emitter
        .clients([bob_id].into_iter().collect::<Target>())
        .disconnect(3999, "maintenance")
        .unwrap();
    assert_eq!(bob.closed().await, (3999, "maintenance".to_owned()));
    ann.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn connections_can_be_listed_inspected_and_closed() {
    let zo = app();
    let app = start(&zo);
    let (mut ann, mut bob) = (connect(&app, "Ann").await, connect(&app, "Bob").await);
    for cx in zo.contexts() {
        if cx.name == "Ann" {
            cx.close(4000, "chosen");
        } else {
            assert_eq!(cx.rooms().current(), ["lobby".into()]);
            cx.send(Said(format!("hello {}", cx.name))).to([cx.client_id()]);
        }
    }
    assert_eq!(ann.closed().await, (4000, "chosen".to_owned()));
    assert_eq!(bob.expect::<Said>().await.0, "hello Bob");
    bob.close().await;
    run_until_idle().await;
    assert!(zo.contexts().is_empty());
}
