//! Sending outside a handler: by an emitter, in a task, in `on_disconnect`. Undeclared events.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use zocket::{Code, Context, Outgoing};

use super::{
    Said, User,
    common::{serve, until},
    does, hears, start, start_with,
};

#[tokio::test]
async fn an_emitter_sends_from_outside_handlers_and_from_tasks() {
    let world = start().await;
    let [(mut ann, ann_id), (mut bob, _)] = world.clients().await;
    does(&mut ann, json!([{ "join": "a" }])).await;
    let emitter = world.zo.emitter();
    tokio::spawn(async move {
        emitter.send(Said("room".into())).to_room("a")?;
        emitter.send(Said("direct".into())).to([ann_id])?;
        emitter.send(Said("rooms".into())).to_rooms(["a", "b"])?;
        emitter.send(Said("broadcast".into())).broadcast()?;
        emitter.send(Said("nobody".into())).to_room("nowhere")
    })
    .await
    .unwrap()
    .unwrap();
    assert_eq!(hears(&mut ann, 4).await, ["room", "direct", "rooms", "broadcast"]);
    assert_eq!(hears(&mut bob, 1).await, ["broadcast"]);
}

#[tokio::test]
async fn a_task_sends_by_its_clients_context_after_the_answer() {
    let world = start().await;
    let zo = &world.zo;
    let gate = world.gate.clone();
    let later = zo.message().handle(async |cx: Context<User>| {
        cx.rooms().join("a")?;
        tokio::spawn(async move {
            cx.gate.acquire().await.expect("the gate is open").forget();
            cx.send(Said("later".into())).to_room("a");
            cx.rooms().leave("a");
        });
        Ok(())
    });
    let server = serve(zo.serve(zo.router().outgoing::<Said>().incoming("later", later))).await;
    let mut ann = server.connect("").await;
    ann.call("later", Value::Null).await.unwrap();
    ann.expect_nothing().await;
    gate.add_permits(1);
    assert_eq!(hears(&mut ann, 1).await, ["later"]);
    while zo.emitter().size("a").await > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn on_disconnect_can_send_to_other_clients() {
    let world = start_with(|builder| {
        builder
            .on_open(async |cx: Context<User>| cx.rooms().join("lobby"))
            .on_disconnect(async |cx: Context<User>| {
                for room in cx.rooms().current() {
                    cx.send(Said(format!("left {room}"))).to_room(room);
                }
                let _ = cx.emitter().send(Said("gone".into())).broadcast();
            })
    })
    .await;
    let [(mut ann, _), (bob, _)] = world.clients().await;
    bob.close().await;
    assert_eq!(hears(&mut ann, 2).await, ["left lobby", "gone"]);
    until(|| world.zo.connections() == 1).await;
    ann.expect_nothing().await;
}

#[tokio::test]
async fn an_undeclared_event_is_refused() {
    #[derive(Serialize, JsonSchema)]
    struct Undeclared(());
    impl Outgoing for Undeclared {
        const TYPE: &'static str = "undeclared";
    }
    let world = start().await;
    let zo = &world.zo;
    let send = zo.message().handle(async |cx: Context<User>| {
        cx.send(Undeclared(())).broadcast();
        Ok(())
    });
    let flush = zo.message().handle(async |cx: Context<User>| {
        cx.send(Undeclared(())).broadcast();
        Ok(cx.flush().await.is_err())
    });
    let server = serve(zo.serve(zo.router().incoming("send", send).incoming("flush", flush))).await;
    let mut ann = server.connect("").await;
    let refusal = ann.call("send", Value::Null).await.unwrap_err();
    assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
    assert!(!refusal.message().contains("undeclared"), "{refusal:?}");
    assert_eq!(ann.call("flush", Value::Null).await.unwrap(), Some(json!(true)));
    let outside = zo.emitter().send(Undeclared(())).broadcast().unwrap_err();
    assert_eq!(outside.code(), Code::INTERNAL_SERVER_ERROR);
    ann.expect_nothing().await;
}
