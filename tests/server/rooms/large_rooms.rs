//! Rooms with many members and many events.

use futures_util::future::join_all;
use serde_json::{Value, json};
use zocket::Limits;

use super::{World, common::Client, does, hears, start, start_limited};

/// Connects `count` clients, each in the rooms a and b.
async fn crowd(world: &World, count: usize) -> Vec<Client> {
    let members = (0..count).map(async |_| {
        let (mut client, _) = world.client().await;
        does(&mut client, json!([{ "join": "a" }, { "join": "b" }])).await;
        client
    });
    join_all(members).await
}

#[tokio::test]
async fn events_sent_before_leaving_a_large_room_arrive() {
    let world = start().await;
    let mut others = crowd(&world, 40).await;
    let (mut ann, _) = world.client().await;
    does(&mut ann, json!([{ "join": "a" }])).await;
    // The emitter sends this event, so Ann's mailbox is not marked: only the flusher notifies her.
    does(&mut ann, json!([{ "emit": ["a", "before"] }, { "leave": "a" }])).await;
    assert_eq!(hears(&mut ann, 1).await, ["before"]);
    for client in &mut others {
        assert_eq!(hears(client, 1).await, ["before"]);
    }
}

#[tokio::test]
async fn a_full_room_answers_overloaded_and_others_continue() {
    let limits = Limits::default().room_backlog(20_000);
    let world = start_limited(limits).await;
    let (mut ann, _) = world.client().await;
    does(&mut ann, json!([{ "join": "a" }])).await;
    // The handler never yields, so no member reads meanwhile.
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
    // The room accepts events again.
    does(&mut ann, json!([{ "room": ["a", "again"] }])).await;
    assert_eq!(hears(&mut ann, 1).await, ["again"]);
}

#[tokio::test]
async fn a_large_room_receives_every_event_in_order_and_once() {
    const MEMBERS: usize = 300;
    const MESSAGES: usize = 50;
    let world = start().await;
    let mut members = crowd(&world, MEMBERS).await;
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
    // Two members send all of their messages at once.
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
async fn members_that_join_and_leave_during_a_flush_miss_nothing() {
    let world = start().await;
    let mut expected = Vec::new();
    let mut stay = crowd(&world, 60).await;
    let (mut sender, _) = world.client().await;
    // Other clients join and leave during the sends.
    for round in 0..20 {
        let (mut passing, _) = world.client().await;
        does(&mut passing, json!([{ "join": "a" }])).await;
        let text = format!("round {round}");
        let sent = does(&mut sender, json!([{ "room": ["a", text] }]));
        let left = does(&mut passing, json!([{ "leave": "a" }]));
        tokio::join!(sent, left);
        expected.push(text);
        passing.close().await;
    }
    for client in &mut stay {
        assert_eq!(hears(client, expected.len()).await, expected);
    }
}
