//! What handlers and the emitter do about other clients, as those see it.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

mod common;

use common::{Server, serve, until};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zocket::{ClientId, Code, Context, Error, Limits, Outgoing, Target, Zocket};

#[derive(Serialize, JsonSchema)]
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

/// Everyone is in the lobby.
fn app() -> Zocket<Name> {
    Zocket::builder()
        .on_connect(async |headers: Name, _: ClientId| Ok(headers))
        .on_open(async |cx: Context<Name>| cx.rooms().join("lobby"))
        .limits(Limits {
            rooms: 3,
            ..Limits::default()
        })
        .build()
}

async fn start(zo: &Zocket<Name>) -> Server {
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
        .incoming("tryToKick", message.atomic().handle(try_to_kick));
    serve(zo.serve(router)).await
}

#[tokio::test]
async fn a_handler_leaves_out_the_sender_and_the_members_of_a_room() {
    let zo = app();
    let server = start(&zo).await;
    let (mut ann, mut bob) = (server.connect("name=Ann").await, server.connect("name=Bob").await);
    ann.call("invite", json!("quiet")).await.unwrap();
    ann.call("tell", json!("quiet")).await.unwrap();
    assert_eq!(ann.event("said").await, "not quiet");
    ann.expect_nothing().await;
    assert_eq!(bob.event("said").await, "others");
    bob.expect_nothing().await;
}

#[tokio::test]
async fn a_handler_lets_others_into_a_room_and_out_of_it() {
    let zo = app();
    let server = start(&zo).await;
    let mut ann = server.connect("name=Ann").await;
    let _bob = server.connect("name=Bob").await;
    until(|| zo.connections() == 2).await;
    let mut cy = server.connect("name=Cy").await;
    cy.call("invite", json!("den")).await.unwrap();
    assert_eq!(zo.emitter().size("den").await, 2);
    ann.call("invite", json!("safe")).await.unwrap();
    ann.call("evict", json!("den")).await.unwrap();
    // Bob is safe, Ann was not in that room.
    assert_eq!(zo.emitter().size("den").await, 1);
}

#[tokio::test]
async fn what_can_t_be_done_to_others_fails_the_message() {
    let zo = app();
    let server = start(&zo).await;
    let mut ann = server.connect("name=Ann").await;
    let _bob = server.connect("name=Bob").await;
    until(|| zo.connections() == 2).await;
    for room in ["b", "c"] {
        ann.call("invite", json!(room)).await.unwrap();
    }
    let refusal = ann.call("invite", json!("d")).await.unwrap_err();
    assert_eq!(refusal.code(), "PRECONDITION_FAILED");
    let refusal = ann.call("invite", json!("x".repeat(1_000))).await.unwrap_err();
    assert_eq!(refusal.code(), "BAD_REQUEST");
}

#[tokio::test]
async fn a_handler_disconnects_others_after_what_it_has_sent() {
    let zo = app();
    let server = start(&zo).await;
    let (mut ann, mut bob) = (server.connect("name=Ann").await, server.connect("name=Bob").await);
    ann.call("whatever", json!(null)).await.unwrap_err();
    ann.call("kick", json!(null)).await.unwrap();
    assert_eq!(bob.event("said").await, "bye");
    assert_eq!(bob.closed().await, (4001, "kicked".to_owned()));
    assert_eq!(ann.event("said").await, "bye");
    until(|| zo.connections() == 1).await;
}

#[tokio::test]
async fn a_failed_atomic_message_disconnects_nobody() {
    let zo = app();
    let server = start(&zo).await;
    let (mut ann, mut bob) = (server.connect("name=Ann").await, server.connect("name=Bob").await);
    bob.call("whatever", json!(null)).await.unwrap_err();
    let refusal = ann.call("tryToKick", json!(null)).await.unwrap_err();
    assert_eq!(refusal.code(), "FORBIDDEN");
    bob.expect_nothing().await;
}

#[tokio::test]
async fn the_emitter_does_it_all_from_outside() {
    let zo = app();
    let server = start(&zo).await;
    let (mut ann, mut bob) = (server.connect("name=Ann").await, server.connect("name=Bob").await);
    until(|| zo.contexts().iter().all(|cx| cx.rooms().has("lobby")) && zo.connections() == 2).await;
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
    assert_eq!(bob.event("said").await, "plain");
    assert_eq!(ann.event("said").await, "vip");
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

#[tokio::test]
async fn each_connection_can_be_looked_at_and_closed() {
    let zo = app();
    let server = start(&zo).await;
    let (mut ann, mut bob) = (server.connect("name=Ann").await, server.connect("name=Bob").await);
    bob.call("whatever", json!(null)).await.unwrap_err();
    until(|| zo.connections() == 2).await;
    for cx in zo.contexts() {
        if cx.name == "Ann" {
            cx.close(4000, "chosen");
        } else {
            assert_eq!(cx.rooms().current(), ["lobby".into()]);
            cx.send(Said(format!("hello {}", cx.name))).to([cx.client_id()]);
        }
    }
    assert_eq!(ann.closed().await, (4000, "chosen".to_owned()));
    assert_eq!(bob.event("said").await, "hello Bob");
    bob.close().await;
    until(|| zo.contexts().is_empty()).await;
}
