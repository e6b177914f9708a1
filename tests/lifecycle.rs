//! A connection's life: `on_open`, `on_disconnect`, shutdown.

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Client, Server, serve, until};
use futures_util::{SinkExt, StreamExt};
use garde::Validate;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;
use tower::{Service, ServiceBuilder, ServiceExt, layer::util::Identity, service_fn};
use zocket::{Builder, ClientId, Context, Emitter, Error, Limits, Outgoing, Router, Zocket};

/// What happened, in order, and gates that it waits for.
#[derive(Clone)]
struct World {
    log: Arc<Mutex<Vec<String>>>,
    connect: Arc<Semaphore>,
    handler: Arc<Semaphore>,
    disconnect: Arc<Semaphore>,
}

impl World {
    /// One whose gates are open, but for the handlers'.
    fn new() -> Self {
        Self {
            log: Arc::default(),
            connect: Arc::new(Semaphore::new(1_000)),
            handler: Arc::new(Semaphore::new(0)),
            disconnect: Arc::new(Semaphore::new(1_000)),
        }
    }

    fn note(&self, what: impl Into<String>) {
        self.log.lock().expect("no panic holds it").push(what.into());
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().expect("no panic holds it").clone()
    }

    fn count(&self, what: &str) -> usize {
        self.log().iter().filter(|entry| *entry == what).count()
    }

    async fn pass(gate: &Semaphore) {
        gate.acquire().await.expect("gates are never closed").forget();
    }

    async fn noted(&self, what: &str) {
        until(|| self.count(what) > 0).await;
    }
}

#[derive(Serialize, JsonSchema)]
struct Hello(String);

impl Outgoing for Hello {
    const TYPE: &'static str = "hello";
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    /// `refuse` is refused, `wait` waits for the gate.
    #[serde(default)]
    #[garde(skip)]
    how: String,
}

/// Notes that it was dropped.
struct Dropped(World);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note("on_connect ended");
    }
}

async fn connect(world: World, headers: Headers, _: ClientId) -> Result<World, Error> {
    world.note("on_connect");
    match headers.how.as_str() {
        "refuse" => Err(Error::forbidden("not today")),
        "wait" => {
            let _dropped = Dropped(world.clone());
            World::pass(&world.connect).await;
            world.note("on_connect succeeds");
            Ok(world)
        }
        _ => Ok(world),
    }
}

/// Notes the rooms that the client is in.
async fn leave(cx: Context<World>) {
    let mut rooms = cx.rooms().current();
    rooms.sort();
    World::pass(&cx.disconnect).await;
    cx.note(format!("on_disconnect in [{}]", rooms.join(" ")));
}

/// An app that notes what happens to it.
fn app(world: &World) -> Builder<World, Identity> {
    Zocket::builder()
        .on_connect_with(world.clone(), connect)
        .on_disconnect(leave)
}

/// `work` waits for its gate, `quick` does not; both are noted.
fn router(zo: &Zocket<World>) -> Router<World> {
    async fn work(cx: Context<World>) -> Result<(), Error> {
        cx.note("work begins");
        World::pass(&cx.handler).await;
        cx.note("work ends");
        Ok(())
    }
    async fn quick(cx: Context<World>) -> Result<(), Error> {
        cx.note("quick");
        Ok(())
    }
    zo.router()
        .outgoing::<Hello>()
        .incoming("work", zo.message().handle(work))
        .incoming("quick", zo.message().handle(quick))
}

async fn start(world: &World) -> (Zocket<World>, Server) {
    let zo = app(world).build();
    let server = serve(zo.serve(router(&zo))).await;
    (zo, server)
}

/// Waits until no one is left, and looks whether each went once.
async fn all_gone(zo: &Zocket<World>, world: &World, departures: usize) {
    until(|| zo.connections() == 0).await;
    assert_eq!(
        world.count("on_disconnect in []"),
        departures,
        "{:?}",
        world.log()
    );
}

const UPGRADE: &str = "GET /?how=wait HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// An upgrade request without a client that waits for its answer.
async fn request_upgrade(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr).await.expect("a connection");
    stream.write_all(UPGRADE.as_bytes()).await.expect("a request");
    stream
}

#[tokio::test]
async fn on_open_runs_before_the_first_message_and_what_it_sends_arrives_first() {
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
    let zo = app(&world).on_open(open).build();
    let server = serve(zo.serve(router(&zo))).await;
    let mut client = server.connect("").await;
    client.send(json!({ "type": "quick", "rpcId": 1 })).await;
    // The client is connected, and what was sent is there, while on_open still runs.
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
async fn an_error_of_on_open_closes_with_1008_after_what_it_sent() {
    async fn open(cx: Context<World>) -> Result<(), Error> {
        cx.rooms().join("lobby")?;
        cx.send(Hello("you are not welcome".into())).to_room("lobby");
        cx.send(Hello("goodbye".into())).to([cx.client_id()]);
        Err(Error::forbidden("not here"))
    }
    let world = World::new();
    let zo = app(&world).on_open(open).build();
    let server = serve(zo.serve(router(&zo))).await;
    let mut client = server.connect("").await;
    client.send(json!({ "type": "quick" })).await;
    assert_eq!(client.event("hello").await, "you are not welcome");
    assert_eq!(client.event("hello").await, "goodbye");
    assert_eq!(client.closed().await, (1008, "FORBIDDEN".to_owned()));
    drop(client);
    until(|| zo.connections() == 0).await;
    // Nothing was read.
    assert_eq!(world.log(), ["on_connect", "on_disconnect in [lobby]"]);
}

#[tokio::test]
async fn a_panic_of_on_open_closes_with_1011_and_tells_nothing() {
    async fn open(_: Context<World>) -> Result<(), Error> {
        panic!("password=hunter2");
    }
    let world = World::new();
    let zo = app(&world).on_open(open).build();
    let server = serve(zo.serve(router(&zo))).await;
    let mut client = server.connect("").await;
    assert_eq!(client.closed().await, (1011, "internal-error".to_owned()));
    drop(client);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn on_open_may_close() {
    async fn open(cx: Context<World>) -> Result<(), Error> {
        cx.send(Hello("goodbye".into())).to([cx.client_id()]);
        cx.close(4001, "full");
        Ok(())
    }
    let world = World::new();
    let zo = app(&world).on_open(open).build();
    let server = serve(zo.serve(router(&zo))).await;
    let mut client = server.connect("").await;
    assert_eq!(client.event("hello").await, "goodbye");
    assert_eq!(client.closed().await, (4001, "full".to_owned()));
    drop(client);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn on_open_that_still_runs_when_its_client_is_shut_down_ends_before_on_disconnect() {
    async fn open(cx: Context<World>) -> Result<(), Error> {
        cx.note("on_open begins");
        cx.closed().await;
        World::pass(&cx.handler).await;
        cx.note("on_open ends");
        Ok(())
    }
    let world = World::new();
    let zo = app(&world).on_open(open).build();
    let server = serve(zo.serve(router(&zo))).await;
    let mut client = server.connect("").await;
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
async fn on_open_learns_that_its_client_has_gone_and_no_message_is_handled_meanwhile() {
    async fn open(cx: Context<World>) -> Result<(), Error> {
        cx.note("on_open begins");
        cx.closed().await;
        World::pass(&cx.handler).await;
        cx.note("on_open ends");
        Ok(())
    }
    for clean in [true, false] {
        let world = World::new();
        let zo = app(&world).on_open(open).build();
        let server = serve(zo.serve(router(&zo))).await;
        let mut client = server.connect("").await;
        client.send(json!({ "type": "quick" })).await;
        // Whatever comes after the message is read, and answered; the message waits.
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

#[tokio::test]
async fn a_message_sent_together_with_the_request_is_not_lost() {
    let world = World::new();
    let (zo, server) = start(&world).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let mut bytes = UPGRADE.as_bytes().to_vec();
    let message = br#"{"type":"quick"}"#;
    // Text, masked with zeros.
    bytes.extend_from_slice(&[0x81, 0x80 | 16, 0, 0, 0, 0]);
    bytes.extend_from_slice(message);
    stream.write_all(&bytes).await.unwrap();
    world.noted("quick").await;
    drop(stream);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn a_clean_close_is_one_departure() {
    let world = World::new();
    let (zo, server) = start(&world).await;
    server.connect("").await.close().await;
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_one_departure() {
    let world = World::new();
    let (zo, server) = start(&world).await;
    let client = server.connect("").await;
    until(|| zo.connections() == 1).await;
    drop(client);
    all_gone(&zo, &world, 1).await;
    // In the middle of a frame: masked, 100 bytes announced, none sent.
    let mut client = server.connect("").await;
    client
        .socket
        .get_mut()
        .write_all(&[0x81, 0x80 | 100])
        .await
        .unwrap();
    drop(client);
    all_gone(&zo, &world, 2).await;
}

#[tokio::test]
async fn a_protocol_error_is_one_departure() {
    let world = World::new();
    let (zo, server) = start(&world).await;
    let mut client = server.connect("").await;
    // RFC 6455, section 5.1: a client masks its frames.
    client.socket.get_mut().write_all(b"\x81\x02hi").await.unwrap();
    assert_eq!(client.closed().await.0, 1002);
    drop(client);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn a_close_by_the_server_is_one_departure() {
    let world = World::new();
    let zo = app(&world).build();
    let kick = zo.message().handle(async |cx: Context<World>| {
        cx.close(4000, "kicked");
        cx.close(4001, "twice");
        Ok(())
    });
    let server = serve(zo.serve(zo.router().incoming("kick", kick))).await;
    let mut client = server.connect("").await;
    client.begin("kick", Value::Null).await;
    assert_eq!(client.closed().await, (4000, "kicked".to_owned()));
    drop(client);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn whom_on_connect_refuses_owes_no_departure() {
    let world = World::new();
    let (zo, server) = start(&world).await;
    let (status, _) = server.try_connect("how=refuse", &[]).await.err().unwrap();
    assert_eq!(status, 403);
    // One who gets in and goes after it would come out after it.
    server.connect("").await.close().await;
    all_gone(&zo, &world, 1).await;
    assert_eq!(world.log(), ["on_connect", "on_connect", "on_disconnect in []"]);
}

#[tokio::test]
async fn a_client_gone_while_on_connect_runs_owes_a_departure_only_if_it_succeeded() {
    let mut world = World::new();
    world.connect = Arc::new(Semaphore::new(0));
    let (zo, server) = start(&world).await;
    for round in 1..=30 {
        let stream = request_upgrade(&server).await;
        until(|| world.count("on_connect") == round).await;
        match round % 3 {
            // It is cancelled.
            0 => drop(stream),
            // It succeeds, and the client goes at the same time.
            1 => {
                world.connect.add_permits(1);
                drop(stream);
            }
            // The other way round.
            _ => {
                drop(stream);
                tokio::task::yield_now().await;
                world.connect.add_permits(1);
            }
        }
        until(|| world.count("on_connect ended") == round && zo.connections() == 0).await;
        assert_eq!(
            world.count("on_connect succeeds"),
            world.count("on_disconnect in []"),
            "{:?}",
            world.log()
        );
        if round % 3 == 0 {
            assert_eq!(world.log().last().unwrap(), "on_connect ended");
        }
        // Left over where it was cancelled.
        world.connect.forget_permits(1);
    }
    assert!(world.count("on_disconnect in []") > 0, "{:?}", world.log());
}

#[tokio::test]
async fn a_client_gone_before_the_101_could_reach_it_is_one_departure() {
    let world = World::new();
    let zo = app(&world).build();
    let service = zo.serve(router(&zo));
    // The answer is made, and never goes out.
    let never_answers = service_fn(move |request: Request<Incoming>| {
        let service = service.clone();
        async move {
            let response = service.oneshot(request).await?;
            assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
            std::future::pending::<()>().await;
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let server = serve(never_answers).await;
    let stream = request_upgrade(&server).await;
    until(|| zo.connections() == 1).await;
    assert_eq!(
        world.log(),
        ["on_connect", "on_connect succeeds", "on_connect ended"]
    );
    drop(stream);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn a_101_that_a_layer_replaces_is_one_departure() {
    let world = World::new();
    let zo = app(&world).build();
    let replaced = ServiceBuilder::new()
        .map_response(|_| {
            let mut response = Response::new(zocket::Body::default());
            *response.status_mut() = StatusCode::IM_A_TEAPOT;
            response
        })
        .service(zo.serve(router(&zo)));
    let server = serve(replaced).await;
    let (status, _) = server.try_connect("", &[]).await.err().unwrap();
    assert_eq!(status, 418);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn a_handler_that_still_runs_ends_before_on_disconnect() {
    let world = World::new();
    let (zo, server) = start(&world).await;
    let mut client = server.connect("").await;
    client.begin("work", Value::Null).await;
    world.noted("work begins").await;
    drop(client);
    // Nobody waits for the handler but on_disconnect.
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
async fn closed_resolves_at_once_when_the_client_goes() {
    async fn watch(cx: Context<World>) -> Result<(), Error> {
        cx.note("watching");
        cx.closed().await;
        // Once more: it stays so.
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
async fn on_disconnect_still_sees_all_the_rooms_and_others_see_the_client_in_them() {
    async fn leave(cx: Context<(World, Arc<Mutex<Option<Emitter>>>)>) {
        let rooms = cx.rooms();
        let mut current = rooms.current();
        current.sort();
        cx.0.note(format!(
            "{current:?} {} {}",
            rooms.has("a"),
            rooms.size("b").await
        ));
        assert_eq!(rooms.members("b").await, [cx.client_id()]);
        // It may leave and send, and nobody minds that it can't be told any more.
        rooms.leave("a");
        assert!(!rooms.has("a"));
        cx.send(Hello("gone".into())).to_room("b");
        cx.send(Hello("gone".into())).to([cx.client_id()]);
        assert!(cx.rooms().join("c").is_ok());
        cx.closed().await;
        cx.0.note("left");
    }
    let world = World::new();
    let zo = Zocket::builder()
        .on_connect_with(world.clone(), async |world: World, _: Headers, _: ClientId| {
            Ok((world, Arc::default()))
        })
        .on_open(async |cx: Context<(World, Arc<Mutex<Option<Emitter>>>)>| {
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
async fn a_panic_of_on_disconnect_costs_nothing_else() {
    let world = World::new();
    let zo = Zocket::builder()
        .on_connect_with(world.clone(), connect)
        .on_open(async |cx: Context<World>| cx.rooms().join("lobby"))
        .on_disconnect(async |cx: Context<World>| {
            cx.note("on_disconnect");
            panic!("on_disconnect panics");
        })
        .build();
    let server = serve(zo.serve(router(&zo))).await;
    for round in 1..=2 {
        server.connect("").await.close().await;
        until(|| zo.connections() == 0 && world.count("on_disconnect") == round).await;
        assert_eq!(zo.emitter().size("lobby").await, 0);
    }
}

#[tokio::test]
async fn messages_received_before_a_close_are_handled_to_the_end() {
    let world = World::new();
    let (zo, server) = start(&world).await;
    let mut client = server.connect("").await;
    client.begin("work", Value::Null).await;
    for _ in 0..10 {
        client.send(json!({ "type": "quick" })).await;
    }
    client.socket.close(None).await.unwrap();
    world.noted("work begins").await;
    world.handler.add_permits(1);
    all_gone(&zo, &world, 1).await;
    let mut expected = vec!["on_connect", "work begins", "work ends"];
    expected.extend(["quick"; 10]);
    expected.push("on_disconnect in []");
    assert_eq!(world.log(), expected);
}

#[tokio::test]
async fn more_messages_before_a_close_than_are_queued_are_handled_too() {
    let world = World::new();
    let zo = app(&world)
        .limits(Limits {
            queued: 2,
            ..Limits::default()
        })
        .build();
    let server = serve(zo.serve(router(&zo))).await;
    let mut client = server.connect("").await;
    client.begin("work", Value::Null).await;
    for _ in 0..20 {
        client
            .socket
            .feed(Message::text(r#"{"type":"quick"}"#))
            .await
            .unwrap();
    }
    client.socket.close(None).await.unwrap();
    world.noted("work begins").await;
    world.handler.add_permits(1);
    all_gone(&zo, &world, 1).await;
    assert_eq!(world.count("quick"), 20);
}

#[tokio::test]
async fn shutdown_closes_everyone_with_1001_and_waits_for_on_disconnect() {
    let mut world = World::new();
    world.disconnect = Arc::new(Semaphore::new(0));
    let (zo, server) = start(&world).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(server.connect("").await);
    }
    until(|| zo.connections() == 3).await;
    let shutdown = tokio::spawn({
        let zo = zo.clone();
        async move { zo.shutdown(common::PATIENCE).await }
    });
    for client in &mut clients {
        assert_eq!(client.closed().await, (1001, "going-away".to_owned()));
    }
    drop(clients);
    // Nobody else gets in.
    let (status, body) = server.try_connect("", &[]).await.err().unwrap();
    assert_eq!(status, 503);
    assert!(
        body["error"].as_str().unwrap().contains("shutting down"),
        "{body}"
    );
    // on_disconnect still waits, and shutdown for it.
    assert_eq!((zo.connections(), shutdown.is_finished()), (3, false));
    world.disconnect.add_permits(3);
    assert_eq!(shutdown.await.unwrap(), 0);
    all_gone(&zo, &world, 3).await;
    assert_eq!(world.count("on_connect"), 3);
}

#[tokio::test]
async fn shutdown_returns_how_many_have_not_gone_in_time() {
    let world = World::new();
    let (zo, server) = start(&world).await;
    let (mut idle, mut busy) = (server.connect("").await, server.connect("").await);
    busy.begin("work", Value::Null).await;
    world.noted("work begins").await;
    assert_eq!(zo.shutdown(Duration::ZERO).await, 2);
    assert_eq!(idle.closed().await.0, 1001);
    assert_eq!(busy.closed().await.0, 1001);
    drop((idle, busy));
    until(|| zo.connections() == 1).await;
    // It may be asked again. The handler hangs.
    let (begun, grace) = (Instant::now(), Duration::from_millis(50));
    assert_eq!(zo.shutdown(grace).await, 1);
    assert!(begun.elapsed() >= grace);
    assert_eq!(world.count("work ends"), 0);
    world.handler.add_permits(1);
    assert_eq!(zo.shutdown(common::PATIENCE).await, 0);
    assert_eq!(world.count("work ends"), 1);
    all_gone(&zo, &world, 2).await;
}

#[tokio::test]
async fn shutdown_of_an_app_without_connections_returns_at_once() {
    let zo = app(&World::new()).build();
    assert_eq!(zo.shutdown(Duration::ZERO).await, 0);
}

#[tokio::test]
async fn whoever_is_in_on_connect_at_a_shutdown_does_not_stay() {
    let mut world = World::new();
    world.connect = Arc::new(Semaphore::new(0));
    let (zo, server) = start(&world).await;
    let mut stream = request_upgrade(&server).await;
    world.noted("on_connect").await;
    zo.shutdown(Duration::ZERO).await;
    world.connect.add_permits(1);
    world.noted("on_connect ended").await;
    // Refused, or let in and closed at once: the server hangs up either way, once its Close is answered.
    let mut answer = Vec::new();
    let mut chunk = [0; 512];
    timeout(common::PATIENCE, async {
        while !answer.windows(12).any(|window| window == b"\x03\xe9going-away") {
            let read = stream.read(&mut chunk).await.unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&chunk[..read]);
        }
    })
    .await
    .expect("no Close comes");
    drop(stream);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn connections_are_counted_from_on_connect_to_the_end_of_on_disconnect() {
    let mut world = World::new();
    world.connect = Arc::new(Semaphore::new(0));
    world.disconnect = Arc::new(Semaphore::new(0));
    let (zo, server) = start(&world).await;
    assert_eq!(zo.connections(), 0);
    let (client, ()) = tokio::join!(server.connect("how=wait"), async {
        world.noted("on_connect").await;
        assert_eq!(zo.connections(), 0, "on_connect has not ended");
        world.connect.add_permits(1);
    });
    assert_eq!(zo.connections(), 1);
    let other: Client = server.connect("").await;
    assert_eq!(zo.connections(), 2);
    client.close().await;
    other.close().await;
    assert_eq!(zo.connections(), 2, "on_disconnect has not ended");
    world.disconnect.add_permits(1);
    until(|| zo.connections() == 1).await;
    world.disconnect.add_permits(1);
    all_gone(&zo, &world, 2).await;
}

#[tokio::test]
async fn a_message_that_waits_for_a_layers_readiness_is_handled_though_its_client_has_gone() {
    let world = World::new();
    let open = Arc::new(AtomicBool::new(false));
    let gate = {
        let open = open.clone();
        tower::layer::layer_fn(move |inner| {
            let open = open.clone();
            Gated { inner, open }
        })
    };
    let zo = app(&world).layer(gate).build();
    let quick = zo.message().handle(async |cx: Context<World>| {
        cx.note("quick");
        Ok(())
    });
    let server = serve(zo.serve(zo.router().incoming("quick", quick))).await;
    let mut client = server.connect("").await;
    client.send(json!({ "type": "quick" })).await;
    client.socket.close(None).await.unwrap();
    until(|| zo.connections() == 1).await;
    drop(client);
    open.store(true, Ordering::SeqCst);
    until(|| zo.connections() == 0).await;
    assert_eq!(world.log(), ["on_connect", "quick", "on_disconnect in []"]);
}

/// Ready when it is open; looks again by and by.
#[derive(Clone)]
struct Gated<S> {
    inner: S,
    open: Arc<AtomicBool>,
}

impl<S, R> Service<R> for Gated<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        if self.open.load(Ordering::SeqCst) {
            return self.inner.poll_ready(cx);
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.inner.call(request)
    }
}
