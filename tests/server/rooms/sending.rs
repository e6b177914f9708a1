//! Sending: the receivers of an event, the number of copies, and the order.

use serde_json::{Value, json};
use zocket::ClientId;

use super::{common::until, does, hears, start};

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
    let [(mut ann, _), (mut bob, _), (mut cid, _)] = world.clients().await;
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
async fn a_member_of_several_rooms_and_an_id_named_twice_receive_one_copy() {
    let world = start().await;
    let [(mut ann, ann_id), (mut bob, bob_id), (mut cid, _)] = world.clients().await;
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
    // An equal text is another event.
    does(
        &mut cid,
        json!([{ "rooms": [["a", "b"], "one"] }, { "rooms": [["a", "b"], "one"] }]),
    )
    .await;
    assert_eq!(hears(&mut ann, 2).await, ["one", "one"]);
}

#[tokio::test]
async fn after_leaving_only_earlier_events_arrive() {
    let world = start().await;
    let [(mut ann, _), (mut bob, _)] = world.clients().await;
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
    // A client that rejoins misses the events sent meanwhile.
    does(&mut ann, json!([{ "join": "a" }, { "room": ["a", "back"] }])).await;
    assert_eq!(hears(&mut ann, 1).await, ["back"]);
    ann.expect_nothing().await;
}

#[tokio::test]
async fn no_room_name_addresses_every_client() {
    let world = start().await;
    let [(mut ann, _), (mut bob, bob_id)] = world.clients().await;
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
        // Ann is in the room, and Bob is not.
        does(&mut ann, json!([{ "join": name }])).await;
        assert_eq!(world.zo.emitter().size(name).await, 1, "{name:?}");
        does(&mut bob, json!([{ "room": [name, name] }])).await;
        assert_eq!(hears(&mut ann, 1).await, [name]);
        bob.expect_nothing().await;
        // After leaving, Ann still receives broadcasts.
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
async fn a_senders_events_arrive_in_order_across_targets() {
    let world = start().await;
    let [(mut ann, ann_id), (mut bob, bob_id)] = world.clients().await;
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
