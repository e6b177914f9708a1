//! Rooms, targets and queries over two nodes.

use std::future::poll_fn;

use tokio::time::timeout;
use zocket::{
    Close, Event, Hub, Target,
    layers::{Action, Effect, hub::MailboxState},
};

use crate::{
    member::{Member, PATIENCE, perform, until_size},
    nats::Nats,
};

#[tokio::test]
async fn events_reach_members_on_every_node_once_and_in_order() {
    let nats = Nats::start().await;
    let (a, b) = (nats.node().await, nats.node().await);
    let (ann, bob, carl) = (Member::of(&a), Member::of(&b), Member::of(&b));
    ann.join("lobby").await;
    bob.join("lobby").await;
    carl.join("attic").await;
    for number in 0..1_000 {
        ann.say(Target::room("lobby"), number).await;
    }
    let all: Vec<_> = (0..1_000).collect();
    assert_eq!(ann.hear(1_000).await, all);
    assert_eq!(bob.hear(1_000).await, all);
    bob.say(Target::rooms(["lobby", "attic"]).except([bob.id]), 1)
        .await;
    assert_eq!(ann.hear(1).await, [1]);
    assert_eq!(carl.hear(1).await, [1]);
    ann.say(Target::everyone().except_rooms(["attic"]), 2).await;
    ann.say(Target::clients([bob.id, carl.id, ann.id]), 3).await;
    ann.say(carl.id.into(), 4).await;
    assert_eq!(ann.hear(2).await, [2, 3]);
    assert_eq!(bob.hear(2).await, [2, 3]);
    assert_eq!(carl.hear(2).await, [3, 4]);
}

#[tokio::test]
async fn queries_and_actions_span_all_nodes() {
    let nats = Nats::start().await;
    let (a, b) = (nats.node().await, nats.node().await);
    let (ann, bob) = (Member::of(&a), Member::of(&b));
    ann.join("lobby").await;
    bob.join("lobby").await;
    let lobby = Target::room("lobby");
    for node in [&a, &b] {
        let found = node.clients(&lobby).await;
        assert!(found.is_complete());
        let mut found = found.value;
        found.sort();
        let mut expected = [ann.id, bob.id];
        expected.sort();
        assert_eq!(found, expected);
        until_size(node, "lobby", 2).await;
    }
    let clients = Target::from(bob.id);
    let action = Action::Join("attic".into());
    perform(
        &a,
        None,
        Effect::Manage {
            clients: clients.clone(),
            action,
        },
    )
    .await;
    until_size(&a, "attic", 1).await;
    let action = Action::Disconnect(Close::new(4000, "bye"));
    perform(&a, None, Effect::Manage { clients, action }).await;
    let closed = async {
        loop {
            let mut events = Vec::new();
            if is_closed(&bob, &mut events) {
                return;
            }
            poll_fn(|cx| bob.mailbox.poll_notified(cx)).await;
        }
    };
    timeout(PATIENCE, closed).await.unwrap();
}

fn is_closed(member: &Member, events: &mut Vec<Event>) -> bool {
    let state = member.mailbox.pull(events);
    !matches!(state, MailboxState::Open)
}
