//! Queries and actions with more clients than a message between nodes can carry.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};
use zocket::{
    ClientId, Code, Error, Hub, Target,
    cluster::NatsHub,
    layers::{Action, Effect},
};

use crate::{
    member::{Member, PATIENCE, perform, said, until_size},
    nats::Nats,
    station::PATIENCE as LONG,
};

/// A server whose messages carry about 80 clients.
const SMALL: &str = "max_payload: 4KB";

fn ids(members: &[Member]) -> HashSet<ClientId> {
    members.iter().map(|member| member.id).collect()
}

/// Waits until every node answers a query. Returns the clients that were found.
async fn found(node: &NatsHub, of: &Target) -> HashSet<ClientId> {
    let mut last = node.clients(of).await;
    let answered = async {
        let mut pause = Duration::from_millis(10);
        while !last.is_complete() {
            // A busy machine may still work on the last answer.
            sleep(pause).await;
            pause *= 2;
            last = node.clients(of).await;
        }
    };
    let waited = timeout(LONG, answered).await;
    assert!(waited.is_ok(), "{:?} do not answer", last.missing);
    let found: HashSet<_> = last.value.iter().copied().collect();
    assert_eq!(found.len(), last.value.len(), "a client was found twice");
    found
}

#[tokio::test]
async fn sixty_thousand_members_on_one_node_are_found_by_another() {
    let nats = Nats::start().await;
    let (a, b) = (nats.node().await, nats.node().await);
    let members: Vec<_> = (0..60_000).map(|_| Member::of(&b)).collect();
    for member in &members {
        member.join("lobby").await;
    }
    let begun = Instant::now();
    assert_eq!(found(&a, &Target::room("lobby")).await, ids(&members));
    println!("60,000 members found after {:?}", begun.elapsed());
}

#[tokio::test]
async fn members_are_found_through_a_server_with_a_small_limit() {
    let nats = Nats::start_configured(SMALL).await;
    let nodes = [nats.node().await, nats.node().await, nats.node().await];
    let members: Vec<_> = (0..1_000).map(|index| Member::of(&nodes[index % 2])).collect();
    for member in &members {
        member.join("lobby").await;
    }
    for node in &nodes {
        assert_eq!(found(node, &Target::room("lobby")).await, ids(&members));
        assert_eq!(found(node, &Target::everyone()).await, ids(&members));
        assert_eq!(found(node, &Target::room("attic")).await, HashSet::new());
    }
}

#[tokio::test]
async fn clients_and_rooms_of_a_long_list_are_found_without_the_exceptions() {
    let nats = Nats::start_configured(SMALL).await;
    let (a, b) = (nats.node().await, nats.node().await);
    let members: Vec<_> = (0..200).map(|_| Member::of(&b)).collect();
    let room = |index: usize| format!("room {index} {}", "\u{1}".repeat(20));
    for (index, member) in members.iter().enumerate() {
        member.join(&room(index)).await;
    }
    members[7].join("muted").await;
    let (all, strangers) = (ids(&members), || (0..500).map(|_| ClientId::random()));
    let listed = || Target::clients(all.iter().copied().chain(strangers()));
    assert_eq!(found(&a, &listed()).await, all);
    assert_eq!(found(&a, &Target::rooms((0..200).map(room))).await, all);
    let excepted: HashSet<_> = ids(&members[..100]);
    let others: HashSet<_> = ids(&members[100..]);
    for target in [Target::everyone(), Target::rooms((0..200).map(room)), listed()] {
        let target = target.except(excepted.iter().copied().chain(strangers()));
        assert_eq!(found(&a, &target).await, others);
    }
    let mut unmuted = all.clone();
    unmuted.remove(&members[7].id);
    for target in [Target::everyone(), listed()] {
        assert_eq!(found(&a, &target.except_rooms(["muted"])).await, unmuted);
    }
}

#[tokio::test]
async fn an_action_concerns_each_client_of_a_list_of_any_length() {
    let nats = Nats::start_configured(SMALL).await;
    let (a, b) = (nats.node().await, nats.node().await);
    let members: Vec<_> = (0..500).map(|_| Member::of(&b)).collect();
    let here = Member::of(&a);
    let listed = || Target::clients(ids(&members)).except([members[3].id]);
    let join = |clients, room: &str| {
        let action = Action::Join(room.into());
        Effect::Manage { clients, action }
    };
    let everyone = members.iter().map(|member| member.id).chain([here.id]);
    perform(&a, None, join(Target::clients(everyone), "lobby")).await;
    until_size(&a, "lobby", 501).await;
    perform(&a, None, join(listed(), "attic")).await;
    until_size(&a, "attic", 499).await;
    let rooms = Target::rooms(
        (0..300)
            .map(|room| format!("room {room}"))
            .chain(["attic".into()]),
    );
    perform(&a, None, join(rooms.clone(), "cellar")).await;
    until_size(&a, "cellar", 499).await;
    let clients = rooms;
    let action = Action::Leave("attic".into());
    perform(&a, None, Effect::Manage { clients, action }).await;
    until_size(&a, "attic", 0).await;
}

/// A client is in several of the rooms, so an event to them, and everything with exceptions, is one message.
#[tokio::test]
async fn what_cannot_be_split_is_refused_and_performed_by_nobody() {
    let nats = Nats::start_configured(SMALL).await;
    let (a, b) = (nats.node().await, nats.node().await);
    let (ann, bob) = (Member::of(&a), Member::of(&b));
    ann.join("lobby").await;
    bob.join("lobby").await;
    let strangers: Vec<_> = (0..500).map(|_| ClientId::random()).collect();
    let rooms = || {
        (0..500)
            .map(|room| format!("room {room}"))
            .chain(["lobby".into()])
    };
    let (action, long) = (
        Action::Join("attic".into()),
        Action::Leave("x".repeat(5_000).into()),
    );
    let emit = |to| Effect::Emit { to, event: said(1) };
    for effect in [
        emit(Target::everyone().except(strangers.clone())),
        emit(Target::rooms(rooms())),
        emit(Target::clients([bob.id]).except_rooms(rooms())),
        Effect::Manage {
            clients: Target::everyone().except(strangers),
            action: action.clone(),
        },
        Effect::Manage {
            clients: Target::room("lobby").except_rooms(rooms()),
            action,
        },
        Effect::Manage {
            clients: bob.id.into(),
            action: long,
        },
    ] {
        let refused = Error::from(a.perform(None, effect).unwrap_err());
        assert_eq!(refused.code(), Code::PAYLOAD_TOO_LARGE, "{refused}");
    }
    ann.say(Target::room("lobby"), 2).await;
    assert_eq!((ann.hear(1).await, bob.hear(1).await), (vec![2], vec![2]));
    assert!(!a.has(&ann.id, "attic"));
}

#[tokio::test]
async fn an_event_to_a_list_of_clients_of_any_length_has_exceptions() {
    let nats = Nats::start_configured(SMALL).await;
    let (a, b) = (nats.node().await, nats.node().await);
    let ann = Member::of(&a);
    let others: Vec<_> = (0..300).map(|_| Member::of(&b)).collect();
    others[1].join("muted").await;
    // The node has subscribed to all of them.
    others[299].join("lobby").await;
    let listed = || Target::clients(ids(&others));
    let excepted = || (0..500).map(|_| ClientId::random()).chain([others[0].id]);
    ann.say(listed().except(excepted()), 1).await;
    ann.say(listed().except_rooms(["muted"]), 2).await;
    ann.say(listed().except(excepted()).except_rooms(["muted"]), 3)
        .await;
    ann.say(listed(), 4).await;
    assert_eq!(others[0].hear(2).await, [2, 4]);
    assert_eq!(others[1].hear(2).await, [1, 4]);
    for other in &others[2..] {
        assert_eq!(other.hear(4).await, [1, 2, 3, 4]);
    }
}

#[tokio::test]
async fn joins_of_many_rooms_at_once_are_answered_through_a_server_with_a_small_limit() {
    let nats = Nats::start_configured(SMALL).await;
    let (a, b) = (nats.node().await, nats.node().await);
    let members: Vec<_> = (0..10).map(|_| Member::of(&b)).collect();
    let room = |room: usize| format!("a room with a longer name {room}");
    // None of them is awaited, so that the subscriptions are made for one barrier.
    let joins: Vec<_> = (0..300)
        .map(|index| {
            let from = &members[index % 10].id;
            b.perform(Some(from), Effect::Join(room(index).into())).unwrap()
        })
        .collect();
    let begun = Instant::now();
    for join in joins {
        if let zocket::layers::hub::Performed::Pending(ticket) = join {
            timeout(PATIENCE, ticket).await.unwrap().unwrap();
        }
    }
    // Without an answer of the other node, it takes as long as a barrier waits.
    assert!(
        begun.elapsed() < Duration::from_millis(1_900),
        "{:?}",
        begun.elapsed()
    );
    until_size(&a, &room(299), 1).await;
}
