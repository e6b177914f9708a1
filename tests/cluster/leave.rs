//! Nodes that leave the others before their process ends.

use zocket::{Hub, Target};

use crate::{
    member::{Member, until_size},
    nats::Nats,
};

#[tokio::test]
async fn a_node_that_leaves_is_forgotten_at_once_and_serves_its_own_clients() {
    let nats = Nats::start().await;
    let (a, b) = (nats.node().await, nats.node().await);
    let (ann, bob, carl) = (Member::of(&a), Member::of(&b), Member::of(&a));
    for member in [&ann, &bob, &carl] {
        member.join("lobby").await;
    }
    until_size(&a, "lobby", 3).await;
    until_size(&b, "lobby", 3).await;
    for number in 0..100 {
        ann.say(Target::room("lobby"), number).await;
    }
    a.leave().await.unwrap();
    assert_eq!(bob.hear(100).await, (0..100).collect::<Vec<_>>());
    let left = async {
        while !b.other_nodes().is_empty() {
            tokio::task::yield_now().await
        }
    };
    // Less than a lease.
    tokio::time::timeout(std::time::Duration::from_secs(4), left)
        .await
        .expect("the node is still expected");
    until_size(&b, "lobby", 1).await;
    let size = a.size("lobby").await;
    assert_eq!((size.value, size.is_complete()), (2, true));
    assert!(!a.is_connected() && a.other_nodes().is_empty());

    ann.say(Target::room("lobby"), 100).await;
    bob.say(Target::room("lobby"), 200).await;
    let dora = Member::of(&a);
    dora.join("lobby").await;
    ann.say(Target::clients([dora.id]), 101).await;
    assert_eq!(carl.hear(101).await.last(), Some(&100));
    assert_eq!(dora.hear(1).await, [101]);
    assert_eq!(bob.hear(1).await, [200]);
    a.flush().await.unwrap();
    a.leave().await.unwrap();
}
