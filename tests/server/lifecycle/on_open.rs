//! `on_open`: its abilities, its end, and the order of events before and after it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use zocket::{Code, Context, Error, Limits, Outgoing};

use super::{Hello, World, all_gone, app, common, common::until, visit};

#[tokio::test]
async fn on_open_runs_and_sends_before_the_first_message() {
    async fn open(cx: Context<World>) -> Result<(), Error> {
        cx.note("on_open begins");
        cx.send(Hello("first".into())).to([cx.client_id()]);
        World::pass(&cx.handler).await;
        cx.rooms().join("lobby")?;
        cx.send(Hello("second".into())).to_room("lobby");
        cx.note("on_open ends");
        Ok(())
    }
    let world = World::new();
    let (_, mut client) = visit(app(&world).on_open(open)).await;
    client.send(json!({ "type": "quick", "rpcId": 1 })).await;
    // The client is connected and receives an event while `on_open` is still running.
    assert_eq!(client.event("hello").await, "first");
    assert_eq!(world.log(), ["on_connect", "on_open begins"]);
    world.handler.add_permits(1);
    assert_eq!(client.event("hello").await, "second");
    assert_eq!(client.next().await, json!({ "type": "__rpc_res", "rpcId": 1 }));
    assert_eq!(
        world.log(),
        ["on_connect", "on_open begins", "on_open ends", "quick"]
    );
}

#[tokio::test]
async fn an_error_of_on_open_closes_with_1008_after_its_events() {
    async fn open(cx: Context<World>) -> Result<(), Error> {
        cx.rooms().join("lobby")?;
        cx.send(Hello("you are not welcome".into())).to_room("lobby");
        cx.send(Hello("goodbye".into())).to([cx.client_id()]);
        Err(Error::forbidden("not here"))
    }
    let world = World::new();
    let (zo, mut client) = visit(app(&world).on_open(open)).await;
    client.send(json!({ "type": "quick" })).await;
    assert_eq!(client.event("hello").await, "you are not welcome");
    assert_eq!(client.event("hello").await, "goodbye");
    assert_eq!(client.closed().await, (1008, "FORBIDDEN".to_owned()));
    drop(client);
    until(|| zo.connections() == 0).await;
    // No message was read.
    assert_eq!(world.log(), ["on_connect", "on_disconnect in [lobby]"]);
}

/// An event that no router declares.
#[derive(Serialize, JsonSchema)]
struct Undeclared;

impl Outgoing for Undeclared {
    const TYPE: &'static str = "undeclared";
}

#[tokio::test]
async fn an_effect_of_on_open_that_is_refused_at_once_makes_it_fail() {
    async fn undeclared(cx: Context<World>) -> Result<(), Error> {
        cx.send(Hello("before".into())).to([cx.client_id()]);
        cx.send(Undeclared).broadcast();
        Ok(())
    }
    async fn too_large(cx: Context<World>) -> Result<(), Error> {
        cx.send(Hello("before".into())).to([cx.client_id()]);
        cx.send(Hello("x".repeat(2_000))).broadcast();
        Ok(())
    }
    async fn flushed(cx: Context<World>) -> Result<(), Error> {
        too_large(cx.clone()).await?;
        // The callback has handled the failure.
        assert_eq!(cx.flush().await.unwrap_err().code(), Code::PAYLOAD_TOO_LARGE);
        Ok(())
    }
    let limits = Limits::default().message(1_000);
    for (app, reason) in [
        (app(&World::new()).on_open(undeclared), "INTERNAL_SERVER_ERROR"),
        (app(&World::new()).on_open(too_large), "PAYLOAD_TOO_LARGE"),
    ] {
        let (_, mut client) = visit(app.limits(limits.clone())).await;
        assert_eq!(client.event("hello").await, "before");
        assert_eq!(client.closed().await, (1008, reason.to_owned()));
    }
    let (_, mut client) = visit(app(&World::new()).on_open(flushed).limits(limits)).await;
    assert_eq!(client.event("hello").await, "before");
    assert_eq!(client.call("quick", Value::Null).await, Ok(None));
}

#[tokio::test]
async fn a_panic_in_on_open_closes_with_1011_without_detail() {
    async fn open(_: Context<World>) -> Result<(), Error> {
        panic!("password=hunter2");
    }
    let world = World::new();
    let (zo, mut client) = visit(app(&world).on_open(open)).await;
    assert_eq!(client.closed().await, (1011, "internal-error".to_owned()));
    drop(client);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn on_open_can_close_the_connection() {
    async fn open(cx: Context<World>) -> Result<(), Error> {
        cx.send(Hello("goodbye".into())).to([cx.client_id()]);
        cx.close(4001, "full");
        Ok(())
    }
    let world = World::new();
    let (zo, mut client) = visit(app(&world).on_open(open)).await;
    assert_eq!(client.event("hello").await, "goodbye");
    assert_eq!(client.closed().await, (4001, "full".to_owned()));
    drop(client);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn on_open_finishes_before_on_disconnect_during_shutdown() {
    async fn open(cx: Context<World>) -> Result<(), Error> {
        cx.note("on_open begins");
        cx.closed().await;
        World::pass(&cx.handler).await;
        cx.note("on_open ends");
        Ok(())
    }
    let world = World::new();
    let (zo, mut client) = visit(app(&world).on_open(open)).await;
    world.noted("on_open begins").await;
    assert_eq!(zo.shutdown(Duration::ZERO).await, 1);
    assert_eq!(client.closed().await.0, 1001);
    drop(client);
    assert_eq!(world.log(), ["on_connect", "on_open begins"]);
    world.handler.add_permits(1);
    all_gone(&zo, &world, 1).await;
    assert_eq!(world.log()[2..], ["on_open ends", "on_disconnect in []"]);
}

#[tokio::test]
async fn on_open_observes_a_disconnect_and_no_message_runs_meanwhile() {
    async fn open(cx: Context<World>) -> Result<(), Error> {
        cx.note("on_open begins");
        cx.closed().await;
        World::pass(&cx.handler).await;
        cx.note("on_open ends");
        Ok(())
    }
    for clean in [true, false] {
        let world = World::new();
        let (zo, mut client) = visit(app(&world).on_open(open)).await;
        client.send(json!({ "type": "quick" })).await;
        // The server reads and answers the frames after the message, while the message waits.
        client.socket.send(Message::Ping("there?".into())).await.unwrap();
        let pong = timeout(common::PATIENCE, client.socket.next())
            .await
            .expect("no pong comes");
        assert_eq!(pong.unwrap().unwrap(), Message::Pong("there?".into()));
        assert_eq!(world.log(), ["on_connect", "on_open begins"]);
        if clean {
            client.socket.close(None).await.unwrap();
        }
        drop(client);
        world.handler.add_permits(1);
        all_gone(&zo, &world, 1).await;
        let expected = [
            "on_connect",
            "on_open begins",
            "on_open ends",
            "quick",
            "on_disconnect in []",
        ];
        assert_eq!(world.log(), expected);
    }
}
