//! Sizes of rooms on other nodes, which the nodes tell each other.

use zocket::{Hub, layers::Effect};

use crate::{
    member::{Member, until_size},
    nats::Nats,
};

#[tokio::test]
async fn sizes_count_the_members_of_all_nodes() {
    let nats = Nats::start().await;
    let nodes = [nats.node().await, nats.node().await, nats.node().await];
    let mut members: Vec<_> = nodes.iter().map(Member::of).collect();
    for member in &members {
        member.join("lobby").await;
        member.join("lobby").await;
    }
    for node in &nodes {
        until_size(node, "lobby", 3).await;
    }
    let first = &members[0];
    first.perform(Effect::Leave("lobby".into())).await;
    for node in &nodes {
        until_size(node, "lobby", 2).await;
    }
    nodes[2].disconnect(&members.remove(2).mailbox);
    for node in &nodes {
        until_size(node, "lobby", 1).await;
    }
    members[0].join("lobby").await;
    assert_eq!(
        nodes[0].size("lobby").await.value,
        2,
        "a node's own members count at once"
    );
}

#[tokio::test]
async fn a_node_that_starts_learns_the_sizes_of_all_rooms() {
    const ROOMS: usize = 5_000;
    let nats = Nats::start().await;
    let first = nats.node().await;
    let members: Vec<_> = (0..10).map(|_| Member::of(&first)).collect();
    for room in 0..ROOMS {
        members[room % members.len()].join(&format!("room-{room}")).await;
    }
    members[0].join("room-7").await;
    let second = nats.node().await;
    for room in [0, 1, ROOMS - 1] {
        until_size(&second, &format!("room-{room}"), 1).await;
    }
    until_size(&second, "room-7", 2).await;
    for room in 8..ROOMS {
        let size = second.size(&format!("room-{room}")).await;
        assert_eq!(size.value, 1, "room-{room}");
    }
}

#[tokio::test]
async fn sizes_of_many_rooms_pass_a_server_with_a_small_limit() {
    let nats = Nats::start_configured("max_payload: 4KB").await;
    let (first, name) = (nats.node().await, |room: usize| {
        format!("{room}{}", "\u{1}".repeat(100))
    });
    let members: Vec<_> = (0..5).map(|_| Member::of(&first)).collect();
    for room in 0..200 {
        members[room % members.len()].join(&name(room)).await;
    }
    let second = nats.node().await;
    for room in 0..200 {
        until_size(&second, &name(room), 1).await;
    }
}

#[tokio::test]
async fn sizes_that_change_while_nats_is_away_are_told_after_its_return() {
    let nats = Nats::start().await;
    let (a, b) = (nats.node().await, nats.node().await);
    let (ann, bob) = (Member::of(&a), Member::of(&b));
    ann.join("lobby").await;
    bob.join("lobby").await;
    until_size(&a, "lobby", 2).await;
    let port = nats.end();
    while a.is_connected() || b.is_connected() {
        tokio::task::yield_now().await;
    }
    let size = a.size("lobby").await;
    assert_eq!((size.value, size.missing), (1, vec![b.node().to_string()]));
    bob.perform(Effect::Leave("lobby".into())).await;
    bob.join("attic").await;
    let _nats = Nats::start_at(port).await;
    until_size(&a, "lobby", 1).await;
    until_size(&a, "attic", 1).await;
    until_size(&b, "lobby", 1).await;
}
