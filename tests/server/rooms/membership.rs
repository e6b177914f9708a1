//! Membership: the clients in a room, the rooms of a client, and their limits.

use serde_json::json;
use zocket::Limits;

use super::{common::until, does, start, start_limited};

#[tokio::test]
async fn joins_and_leaves_are_visible_at_once() {
    let world = start().await;
    let (mut ann, _) = world.client().await;
    assert_eq!(
        does(&mut ann, json!([{ "join": "a" }, { "join": "b" }])).await,
        ["a", "b"]
    );
    // A second join has no effect, and leaving another room is not an error.
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
async fn members_and_size_describe_a_room() {
    let world = start().await;
    let emitter = world.zo.emitter();
    let [(mut ann, ann_id), (mut bob, bob_id)] = world.clients().await;
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
async fn the_number_of_rooms_and_the_length_of_their_names_are_limited() {
    let limits = Limits::default().rooms(3).room_name(8);
    let world = start_limited(limits).await;
    for route in ["run.now", "run.atomic"] {
        let (mut ann, _) = world.client().await;
        let rooms = json!([{ "join": "a" }, { "join": "b" }, { "join": "12345678" }, { "join": "a" }]);
        ann.call(route, rooms).await.unwrap();
        let refusal = ann.call(route, json!([{ "join": "d" }])).await.unwrap_err();
        assert_eq!(refusal.code(), "PRECONDITION_FAILED", "{route}");
        if route == "run.atomic" {
            // The error is known before any effect is performed.
            let steps = json!([{ "broadcast": "lost" }, { "leave": "nowhere" }, { "join": "d" }]);
            let refusal = ann.call(route, steps).await.unwrap_err();
            assert_eq!(refusal.code(), "PRECONDITION_FAILED");
            ann.expect_nothing().await;
        }
        assert!(refusal.message().contains('3'), "{refusal:?}");
        // The limit counts bytes: three characters of three bytes each.
        for long in ["123456789", "€€€"] {
            let refusal = ann.call(route, json!([{ "join": long }])).await.unwrap_err();
            assert_eq!(refusal.code(), "BAD_REQUEST", "{route}");
            assert!(
                refusal.message().contains('8') && refusal.message().contains('9'),
                "{refusal:?}"
            );
        }
        // After leaving one room, the client can join another.
        ann.call(route, json!([{ "leave": "b" }, { "join": "d" }]))
            .await
            .unwrap();
        let after = ann.call(route, json!([])).await.unwrap().unwrap();
        assert_eq!(after["rooms"], json!(["12345678", "a", "d"]), "{route}");
        // Another client has its own limit.
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
