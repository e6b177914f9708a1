//! `on_disconnect` runs after the client's handlers, and before the client leaves its rooms.

use serde_json::Value;
use zocket::{ClientId, Context, Error, Zocket};

use super::{
    Headers, Hello, World, all_gone, app,
    common::{serve, until},
    connect, start,
};

#[tokio::test]
async fn a_running_handler_finishes_before_on_disconnect() {
    let world = World::new();
    let (zo, server) = start(app(&world)).await;
    let mut client = server.connect("").await;
    client.begin("work", Value::Null).await;
    world.noted("work begins").await;
    drop(client);
    // Only `on_disconnect` waits for the handler.
    server.connect("").await.close().await;
    world.noted("on_disconnect in []").await;
    assert_eq!(zo.connections(), 1);
    assert_eq!(world.count("work ends"), 0);
    world.handler.add_permits(1);
    all_gone(&zo, &world, 2).await;
    let log = world.log();
    assert_eq!(log[log.len() - 2..], ["work ends", "on_disconnect in []"]);
}

#[tokio::test]
async fn closed_resolves_at_once_when_the_client_disconnects() {
    async fn watch(cx: Context<World>) -> Result<(), Error> {
        cx.note("watching");
        cx.closed().await;
        // `closed` stays resolved.
        cx.closed().await;
        cx.note("the client has gone");
        World::pass(&cx.handler).await;
        cx.note("work ends");
        Ok(())
    }
    let world = World::new();
    let zo = app(&world).build();
    let router = zo.router().incoming("watch", zo.message().handle(watch));
    let server = serve(zo.serve(router)).await;
    for clean in [true, false] {
        let mut client = server.connect("").await;
        client.begin("watch", Value::Null).await;
        world.noted("watching").await;
        if clean {
            client.socket.close(None).await.unwrap();
        } else {
            drop(client);
        }
        world.noted("the client has gone").await;
        assert_eq!(world.count("work ends"), 0);
        world.handler.add_permits(1);
        until(|| zo.connections() == 0).await;
        assert_eq!(
            world.log(),
            [
                "on_connect",
                "watching",
                "the client has gone",
                "work ends",
                "on_disconnect in []"
            ]
        );
        world.log.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn rooms_still_hold_the_client_during_on_disconnect() {
    async fn leave(cx: Context<World>) {
        let rooms = cx.rooms();
        let mut current = rooms.current();
        current.sort();
        cx.note(format!(
            "{current:?} {} {}",
            rooms.has("a"),
            rooms.size("b").await
        ));
        assert_eq!(rooms.members("b").await, [cx.client_id()]);
        // It may leave and send, although its own client can't receive anything any more.
        rooms.leave("a");
        assert!(!rooms.has("a"));
        cx.send(Hello("gone".into())).to_room("b");
        cx.send(Hello("gone".into())).to([cx.client_id()]);
        assert!(cx.rooms().join("c").is_ok());
        cx.closed().await;
        cx.note("left");
    }
    let world = World::new();
    let zo = Zocket::builder()
        .on_connect_with(world.clone(), async |world: World, _: Headers, _: ClientId| {
            Ok(world)
        })
        .on_open(async |cx: Context<World>| {
            ["a", "b", "c"]
                .into_iter()
                .try_for_each(|room| cx.rooms().join(room))?;
            cx.rooms().leave("c");
            Ok(())
        })
        .on_disconnect(leave)
        .build();
    let server = serve(zo.serve(zo.router().outgoing::<Hello>())).await;
    let mut client = server.connect("").await;
    client.expect_nothing().await;
    assert_eq!(zo.emitter().size("b").await, 1);
    client.close().await;
    world.noted("left").await;
    assert_eq!(world.log(), [r#"["a", "b"] true 1"#, "left"]);
    until(|| zo.connections() == 0).await;
    for room in ["a", "b", "c"] {
        assert_eq!(zo.emitter().size(room).await, 0, "{room}");
    }
}

#[tokio::test]
async fn a_panic_in_on_disconnect_affects_nothing_else() {
    let world = World::new();
    let panics = Zocket::builder()
        .on_connect_with(world.clone(), connect)
        .on_open(async |cx: Context<World>| cx.rooms().join("lobby"))
        .on_disconnect(async |cx: Context<World>| {
            cx.note("on_disconnect");
            panic!("on_disconnect panics");
        });
    let (zo, server) = start(panics).await;
    for round in 1..=2 {
        server.connect("").await.close().await;
        until(|| zo.connections() == 0 && world.count("on_disconnect") == round).await;
        assert_eq!(zo.emitter().size("lobby").await, 0);
    }
}
