//! Rooms and sending, as several clients see them.

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{Client, Server, serve, until};
use futures_util::future::join_all;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::{layer::util::Identity, timeout::TimeoutLayer};
use zocket::{Builder, ClientId, Code, Context, Error, Limits, NoHeaders, Outgoing, Router, Zocket};

#[derive(Clone, Serialize, JsonSchema)]
struct Said(String);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// One step of what a client has the server do.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Step {
    Join(String),
    Leave(String),
    /// To a client.
    Direct(ClientId, String),
    /// To all of these clients.
    Clients(Vec<ClientId>, String),
    Room(String, String),
    Rooms(Vec<String>, String),
    Broadcast(String),
    /// So many bytes to everyone.
    Large(usize),
    /// To a room, by the emitter: not on behalf of this client.
    Emit(String, String),
    /// Waits until a permit is there.
    Wait,
    Fail,
    Panic,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Steps(#[garde(skip)] Vec<Step>);

/// What a client has after its steps: rooms, and whether it is in each of them.
#[derive(Serialize, JsonSchema)]
struct After {
    rooms: Vec<String>,
    has: bool,
}

struct User {
    gate: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

async fn run(cx: Context<User>, steps: Steps) -> Result<After, Error> {
    for step in steps.0 {
        match step {
            Step::Join(room) => {
                cx.rooms().join(room.as_str())?;
                assert!(cx.rooms().has(&room));
            }
            Step::Leave(room) => {
                cx.rooms().leave(room.as_str());
                assert!(!cx.rooms().has(&room));
            }
            Step::Direct(id, text) => cx.send(Said(text)).to([id]),
            Step::Clients(ids, text) => cx.send(Said(text)).to(ids),
            Step::Room(room, text) => cx.send(Said(text)).to_room(room),
            Step::Rooms(rooms, text) => cx.send(Said(text)).to_rooms(rooms),
            Step::Broadcast(text) => cx.send(Said(text)).broadcast(),
            Step::Large(bytes) => cx.send(Said("x".repeat(bytes))).broadcast(),
            Step::Emit(room, text) => cx.emitter().send(Said(text)).to_room(room)?,
            Step::Wait => {
                cx.waiting.add_permits(1);
                cx.gate.acquire().await.map_err(Error::internal)?.forget();
            }
            Step::Fail => return Err(Error::conflict("as asked")),
            Step::Panic => panic!("as asked"),
        }
    }
    let mut rooms: Vec<_> = cx.rooms().current().iter().map(ToString::to_string).collect();
    rooms.sort();
    let has = rooms.iter().all(|room| cx.rooms().has(room));
    Ok(After { rooms, has })
}

struct World {
    zo: Zocket<User>,
    server: Server,
    gate: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

fn router(zo: &Zocket<User>) -> Router<User> {
    let steps = zo.message().input::<Steps>();
    let quickly = TimeoutLayer::new(Duration::from_millis(50));
    let id = zo.message().handle(async |cx: Context<User>| Ok(cx.client_id()));
    let module = zo
        .router()
        .incoming("quickly", steps.clone().atomic().handle(run))
        .layer(quickly.clone());
    zo.router()
        .outgoing::<Said>()
        .nest("module", module)
        .incoming("id", id)
        .incoming("run.now", steps.clone().handle(run))
        .incoming("run.atomic", steps.clone().atomic().handle(run))
        .incoming("run.quickly", steps.atomic().layer(quickly).handle(run))
}

async fn start_with(configure: impl FnOnce(Builder<User, Identity>) -> Builder<User, Identity>) -> World {
    let (gate, waiting) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let builder = Zocket::builder().on_connect_with(
        (gate.clone(), waiting.clone()),
        async |(gate, waiting): (Arc<Semaphore>, Arc<Semaphore>), _: NoHeaders, _: ClientId| {
            Ok(User { gate, waiting })
        },
    );
    let zo = configure(builder).build();
    let server = serve(zo.serve(router(&zo))).await;
    World {
        zo,
        server,
        gate,
        waiting,
    }
}

async fn start() -> World {
    start_with(|builder| builder).await
}

impl World {
    /// A client and its id.
    async fn client(&self) -> (Client, ClientId) {
        let mut client = self.server.connect("").await;
        let id = client
            .call("id", Value::Null)
            .await
            .expect("an answer")
            .expect("an id");
        (client, serde_json::from_value(id).expect("an id"))
    }
}

/// Has a client run steps. Returns the rooms that it is in then.
async fn does(client: &mut Client, steps: Value) -> Vec<String> {
    let after = client
        .call("run.now", steps)
        .await
        .expect("the steps succeed")
        .expect("an answer");
    assert_eq!(after["has"], true);
    serde_json::from_value(after["rooms"].clone()).expect("rooms")
}

/// The next texts.
async fn hears(client: &mut Client, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        let text = client.event("said").await;
        texts.push(text.as_str().expect("a text").to_owned());
    }
    texts
}

#[tokio::test]
async fn joining_and_leaving_are_seen_at_once() {
    let world = start().await;
    let (mut ann, _) = world.client().await;
    assert_eq!(
        does(&mut ann, json!([{ "join": "a" }, { "join": "b" }])).await,
        ["a", "b"]
    );
    // Twice is once; leaving what one is not in is no error.
    let steps = json!([{ "join": "a" }, { "leave": "b" }, { "leave": "b" }, { "leave": "nowhere" }]);
    assert_eq!(does(&mut ann, steps).await, ["a"]);
    assert_eq!(
        does(&mut ann, json!([{ "leave": "a" }, { "join": "a" }])).await,
        ["a"]
    );
    assert_eq!(world.zo.emitter().size("a").await, 1);
    assert_eq!(does(&mut ann, json!([{ "leave": "a" }])).await, [""; 0]);
    assert_eq!(world.zo.emitter().size("a").await, 0);
}

#[tokio::test]
async fn join_then_send_reaches_oneself_and_comes_before_the_answer() {
    let world = start().await;
    let (mut ann, _) = world.client().await;
    let id = ann
        .begin("run.now", json!([{ "join": "a" }, { "room": ["a", "hi"] }]))
        .await;
    assert_eq!(ann.event("said").await, "hi");
    assert_eq!(ann.next().await["rpcId"], id);
}

#[tokio::test]
async fn sending_needs_no_membership_and_reaches_members_alone() {
    let world = start().await;
    let ((mut ann, _), (mut bob, _), (mut cid, _)) =
        (world.client().await, world.client().await, world.client().await);
    does(&mut bob, json!([{ "join": "a" }])).await;
    does(&mut ann, json!([{ "room": ["a", "hi"] }])).await;
    assert_eq!(hears(&mut bob, 1).await, ["hi"]);
    for client in [&mut ann, &mut bob, &mut cid] {
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn unknown_rooms_and_clients_are_no_ops() {
    let world = start().await;
    let (mut ann, ann_id) = world.client().await;
    let (bob, bob_id) = world.client().await;
    bob.close().await;
    until(|| world.zo.connections() == 1).await;
    let nobody = ClientId::random();
    does(
        &mut ann,
        json!([
            { "room": ["nowhere", "lost"] },
            { "rooms": [["nowhere", "elsewhere"], "lost"] },
            { "rooms": [[], "lost"] },
            { "clients": [[], "lost"] },
            { "direct": [nobody, "lost"] },
            { "direct": [bob_id, "lost"] },
            { "clients": [[nobody, ann_id, bob_id], "found"] },
        ]),
    )
    .await;
    assert_eq!(hears(&mut ann, 1).await, ["found"]);
    ann.expect_nothing().await;
}

#[tokio::test]
async fn a_member_of_several_rooms_and_an_id_named_twice_get_it_once() {
    let world = start().await;
    let ((mut ann, ann_id), (mut bob, bob_id), (mut cid, _)) =
        (world.client().await, world.client().await, world.client().await);
    does(
        &mut ann,
        json!([{ "join": "a" }, { "join": "b" }, { "join": "c" }]),
    )
    .await;
    does(&mut bob, json!([{ "join": "b" }])).await;
    does(
        &mut cid,
        json!([
            { "rooms": [["a", "b"], "one"] },
            { "rooms": [["b", "a", "b", "c"], "two"] },
            { "clients": [[ann_id, bob_id, ann_id, ann_id], "three"] },
            { "rooms": [["a", "b", "c"], "four"] },
        ]),
    )
    .await;
    for client in [&mut ann, &mut bob] {
        assert_eq!(hears(client, 4).await, ["one", "two", "three", "four"]);
        client.expect_nothing().await;
    }
    cid.expect_nothing().await;
    // The same text again is another event.
    does(
        &mut cid,
        json!([{ "rooms": [["a", "b"], "one"] }, { "rooms": [["a", "b"], "one"] }]),
    )
    .await;
    assert_eq!(hears(&mut ann, 2).await, ["one", "one"]);
}

#[tokio::test]
async fn after_leaving_nothing_comes_but_what_was_sent_before() {
    let world = start().await;
    let ((mut ann, _), (mut bob, _)) = (world.client().await, world.client().await);
    does(&mut ann, json!([{ "join": "a" }])).await;
    does(
        &mut ann,
        json!([{ "room": ["a", "before"] }, { "leave": "a" }, { "room": ["a", "after"] }]),
    )
    .await;
    does(
        &mut bob,
        json!([{ "room": ["a", "later"] }, { "broadcast": "all" }]),
    )
    .await;
    assert_eq!(hears(&mut ann, 2).await, ["before", "all"]);
    // Whoever comes back gets nothing of what was sent meanwhile.
    does(&mut ann, json!([{ "join": "a" }, { "room": ["a", "back"] }])).await;
    assert_eq!(hears(&mut ann, 1).await, ["back"]);
    ann.expect_nothing().await;
}

#[tokio::test]
async fn what_a_large_room_sent_before_one_left_it_arrives() {
    let world = start().await;
    let mut others = Vec::new();
    for _ in 0..40 {
        let (mut client, _) = world.client().await;
        does(&mut client, json!([{ "join": "a" }])).await;
        others.push(client);
    }
    let (mut ann, _) = world.client().await;
    does(&mut ann, json!([{ "join": "a" }])).await;
    // Not on behalf of Ann: nothing but the room itself tells her.
    does(&mut ann, json!([{ "emit": ["a", "before"] }, { "leave": "a" }])).await;
    assert_eq!(hears(&mut ann, 1).await, ["before"]);
    for client in &mut others {
        assert_eq!(hears(client, 1).await, ["before"]);
    }
}

#[tokio::test]
async fn no_room_is_everyone() {
    let world = start().await;
    let ((mut ann, _), (mut bob, bob_id)) = (world.client().await, world.client().await);
    let names = [
        "",
        "*",
        "everyone",
        "__everyone",
        "__proto__",
        "all",
        "#",
        ">",
        "a.b",
        "\u{0}",
        "Everyone",
        &bob_id.to_string(),
    ];
    for name in names {
        // Ann is in it, Bob is not.
        does(&mut ann, json!([{ "join": name }])).await;
        assert_eq!(world.zo.emitter().size(name).await, 1, "{name:?}");
        does(&mut bob, json!([{ "room": [name, name] }])).await;
        assert_eq!(hears(&mut ann, 1).await, [name]);
        bob.expect_nothing().await;
        // Out of it, and still one of everyone.
        does(&mut ann, json!([{ "leave": name }])).await;
        does(
            &mut bob,
            json!([{ "broadcast": "all" }, { "direct": [bob_id, "you"] }]),
        )
        .await;
        assert_eq!(hears(&mut ann, 1).await, ["all"]);
        assert_eq!(hears(&mut bob, 2).await, ["all", "you"]);
    }
    ann.expect_nothing().await;
}

#[tokio::test]
async fn a_senders_events_arrive_in_order_whatever_their_way() {
    let world = start().await;
    let ((mut ann, ann_id), (mut bob, bob_id)) = (world.client().await, world.client().await);
    does(&mut bob, json!([{ "join": "a" }, { "join": "b" }])).await;
    let mut steps = vec![json!({ "join": "a" })];
    let mut expected = Vec::new();
    for round in 0..60 {
        let text = |way: &str| format!("{way} {round}");
        steps.extend([
            json!({ "room": ["a", text("room")] }),
            json!({ "clients": [[ann_id, bob_id], text("direct")] }),
            json!({ "broadcast": text("broadcast") }),
            json!({ "rooms": [["b", "a"], text("rooms")] }),
            json!({ "direct": [bob_id, text("bob")] }),
        ]);
        expected.extend(["room", "direct", "broadcast", "rooms", "bob"].map(text));
    }
    does(&mut ann, Value::Array(steps)).await;
    assert_eq!(hears(&mut bob, expected.len()).await, expected);
    expected.retain(|text| !text.starts_with("bob"));
    assert_eq!(hears(&mut ann, expected.len()).await, expected);
}

#[tokio::test]
async fn members_and_size_say_who_is_in_a_room() {
    let world = start().await;
    let emitter = world.zo.emitter();
    let ((mut ann, ann_id), (mut bob, bob_id)) = (world.client().await, world.client().await);
    assert_eq!((emitter.size("a").await, emitter.members("a").await), (0, vec![]));
    does(&mut ann, json!([{ "join": "a" }])).await;
    does(&mut bob, json!([{ "join": "a" }, { "join": "b" }])).await;
    let mut members = emitter.members("a").await;
    members.sort();
    let mut both = vec![ann_id, bob_id];
    both.sort();
    assert_eq!((emitter.size("a").await, members), (2, both));
    assert_eq!(emitter.members("b").await, [bob_id]);
    bob.close().await;
    until(|| world.zo.connections() == 1).await;
    assert_eq!(
        (emitter.members("a").await, emitter.size("b").await),
        (vec![ann_id], 0)
    );
}

#[tokio::test]
async fn an_emitter_sends_from_outside_and_from_tasks() {
    let world = start().await;
    let ((mut ann, ann_id), (mut bob, _)) = (world.client().await, world.client().await);
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
async fn on_disconnect_can_tell_the_others() {
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
    let ((mut ann, _), (bob, _)) = (world.client().await, world.client().await);
    bob.close().await;
    assert_eq!(hears(&mut ann, 2).await, ["left lobby", "gone"]);
    until(|| world.zo.connections() == 1).await;
    ann.expect_nothing().await;
}

#[tokio::test]
async fn an_event_that_is_not_declared_is_refused() {
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

#[tokio::test]
async fn the_number_of_rooms_and_the_length_of_their_names_are_limited() {
    let limits = Limits {
        rooms: 3,
        room_name: 8,
        ..Limits::default()
    };
    let world = start_with(|builder| builder.limits(limits)).await;
    for route in ["run.now", "run.atomic"] {
        let (mut ann, _) = world.client().await;
        let rooms = json!([{ "join": "a" }, { "join": "b" }, { "join": "12345678" }, { "join": "a" }]);
        ann.call(route, rooms).await.unwrap();
        let refusal = ann.call(route, json!([{ "join": "d" }])).await.unwrap_err();
        assert_eq!(refusal.code(), "PRECONDITION_FAILED", "{route}");
        if route == "run.atomic" {
            // Known before anything is performed.
            let steps = json!([{ "broadcast": "lost" }, { "leave": "nowhere" }, { "join": "d" }]);
            let refusal = ann.call(route, steps).await.unwrap_err();
            assert_eq!(refusal.code(), "PRECONDITION_FAILED");
            ann.expect_nothing().await;
        }
        assert!(refusal.message().contains('3'), "{refusal:?}");
        // Bytes count: 3 characters of 3.
        for long in ["123456789", "€€€"] {
            let refusal = ann.call(route, json!([{ "join": long }])).await.unwrap_err();
            assert_eq!(refusal.code(), "BAD_REQUEST", "{route}");
            assert!(
                refusal.message().contains('8') && refusal.message().contains('9'),
                "{refusal:?}"
            );
        }
        // One out, one in.
        ann.call(route, json!([{ "leave": "b" }, { "join": "d" }]))
            .await
            .unwrap();
        let after = ann.call(route, json!([])).await.unwrap().unwrap();
        assert_eq!(after["rooms"], json!(["12345678", "a", "d"]), "{route}");
        // Another client has its own.
        let (mut bob, _) = world.client().await;
        bob.call(route, json!([{ "join": "a" }, { "join": "b" }, { "join": "c" }]))
            .await
            .unwrap();
        assert_eq!(world.zo.emitter().size("a").await, 2);
        ann.close().await;
        bob.close().await;
        until(|| world.zo.connections() == 0).await;
    }
}

#[tokio::test]
async fn a_room_that_takes_no_more_says_so_and_others_go_on() {
    let limits = Limits {
        room_backlog: 10_000,
        ..Limits::default()
    };
    let world = start_with(|builder| builder.limits(limits)).await;
    let (mut ann, _) = world.client().await;
    does(&mut ann, json!([{ "join": "a" }])).await;
    // Nobody reads while one message is handled without a pause.
    let burst = vec![json!({ "room": ["a", "x".repeat(1_000)] }); 20];
    let refusal = ann.call("run.now", Value::Array(burst)).await.unwrap_err();
    assert_eq!(refusal.code(), "OVERLOADED");
    let mut delivered = 0;
    ann.send(json!({ "type": "run.now", "payload": [], "rpcId": "end" }))
        .await;
    while ann.next().await["type"] == "said" {
        delivered += 1;
    }
    assert!((5..20).contains(&delivered), "{delivered}");
    // Room again.
    does(&mut ann, json!([{ "room": ["a", "again"] }])).await;
    assert_eq!(hears(&mut ann, 1).await, ["again"]);
}

#[tokio::test]
async fn an_atomic_procedures_effects_wait_for_its_success() {
    let world = start().await;
    let ((mut ann, _), (mut bob, _)) = (world.client().await, world.client().await);
    does(&mut bob, json!([{ "join": "a" }])).await;
    let steps = json!([{ "join": "a" }, { "room": ["a", "held"] }, "wait", { "broadcast": "too" }]);
    let id = ann.begin("run.atomic", steps).await;
    world.waiting.acquire().await.unwrap().forget();
    bob.expect_nothing().await;
    assert_eq!(world.zo.emitter().size("a").await, 1);
    world.gate.add_permits(1);
    assert_eq!(hears(&mut bob, 2).await, ["held", "too"]);
    assert_eq!(hears(&mut ann, 2).await, ["held", "too"]);
    let answer = ann.next().await;
    assert_eq!(
        (&answer["rpcId"], &answer["payload"]["rooms"]),
        (&id, &json!(["a"]))
    );
    assert_eq!(world.zo.emitter().size("a").await, 2);
}

#[tokio::test]
async fn an_atomic_procedures_effects_are_dropped_when_it_fails_or_takes_too_long() {
    const MESSAGE: usize = 10_000;
    let limits = Limits {
        message: MESSAGE,
        ..Limits::default()
    };
    let world = start_with(|builder| builder.limits(limits)).await;
    let ((mut ann, _), (mut bob, bob_id)) = (world.client().await, world.client().await);
    does(&mut bob, json!([{ "join": "a" }])).await;
    does(&mut ann, json!([{ "join": "b" }])).await;
    let effects = [
        json!({ "join": "a" }),
        json!({ "leave": "b" }),
        json!({ "room": ["a", "lost"] }),
        json!({ "direct": [bob_id, "lost"] }),
        json!({ "broadcast": "lost" }),
    ];
    for (route, end, code) in [
        ("run.atomic", json!("fail"), "CONFLICT"),
        ("run.atomic", json!("panic"), "INTERNAL_SERVER_ERROR"),
        ("run.quickly", json!("wait"), "TIMEOUT"),
        ("module.quickly", json!("wait"), "TIMEOUT"),
        // What can't be sent fails the message as well.
        ("run.atomic", json!({ "large": MESSAGE }), "PAYLOAD_TOO_LARGE"),
    ] {
        let mut steps = effects.to_vec();
        steps.push(end);
        let refusal = ann.call(route, Value::Array(steps)).await.unwrap_err();
        assert_eq!(refusal.code(), code);
        assert_eq!(does(&mut ann, json!([])).await, ["b"]);
        bob.expect_nothing().await;
        ann.expect_nothing().await;
    }
    // Elsewhere, what was sent stays sent.
    let mut steps = effects.to_vec();
    steps.push(json!("fail"));
    assert_eq!(
        ann.call("run.now", Value::Array(steps)).await.unwrap_err().code(),
        "CONFLICT"
    );
    assert_eq!(hears(&mut bob, 3).await, ["lost"; 3]);
}

#[tokio::test]
async fn a_large_room_gets_everything_in_order_and_once() {
    const MEMBERS: usize = 300;
    const MESSAGES: usize = 50;
    let world = start().await;
    let members = join_all((0..MEMBERS).map(|_| world.client())).await;
    let mut members: Vec<_> = members.into_iter().map(|(client, _)| client).collect();
    let joins = members
        .iter_mut()
        .map(|client| does(client, json!([{ "join": "a" }, { "join": "b" }])));
    join_all(joins).await;
    assert_eq!(world.zo.emitter().size("a").await, MEMBERS);

    let steps = |sender: &str| -> Vec<Value> {
        let texts = (0..MESSAGES).map(|n| format!("{sender} {n}"));
        let steps = texts.map(|text| match text.len() % 3 {
            0 => json!({ "room": ["a", text] }),
            1 => json!({ "rooms": [["a", "b"], text] }),
            _ => json!({ "broadcast": text }),
        });
        steps.collect()
    };
    // Two of the members send, one message at a time, all at once.
    for (sender, client) in ["ann", "robert"].into_iter().zip(&mut members) {
        for step in steps(sender) {
            client.send(json!({ "type": "run.now", "payload": [step] })).await;
        }
    }
    let heard = members.iter_mut().map(|client| hears(client, 2 * MESSAGES));
    for heard in join_all(heard).await {
        for sender in ["ann", "robert"] {
            let own: Vec<_> = heard.iter().filter(|text| text.starts_with(sender)).collect();
            let expected: Vec<_> = (0..MESSAGES).map(|n| format!("{sender} {n}")).collect();
            assert!(own.into_iter().eq(&expected), "{heard:?}");
        }
    }
    for client in &mut members[..5] {
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn members_that_come_and_go_while_a_large_room_is_told_miss_nothing() {
    let world = start().await;
    let log = Mutex::new(Vec::new());
    let mut stay = join_all((0..60).map(|_| world.client())).await;
    join_all(
        stay.iter_mut()
            .map(|(client, _)| does(client, json!([{ "join": "a" }]))),
    )
    .await;
    let (mut sender, _) = world.client().await;
    // Others join and leave beside what is sent.
    for round in 0..20 {
        let (mut passing, _) = world.client().await;
        does(&mut passing, json!([{ "join": "a" }])).await;
        let text = format!("round {round}");
        let sent = does(&mut sender, json!([{ "room": ["a", text] }]));
        let left = does(&mut passing, json!([{ "leave": "a" }]));
        tokio::join!(sent, left);
        log.lock().unwrap().push(text);
        passing.close().await;
    }
    let expected = log.into_inner().unwrap();
    for (client, _) in &mut stay {
        assert_eq!(hears(client, expected.len()).await, expected);
    }
}
