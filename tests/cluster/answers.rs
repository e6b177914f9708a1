//! Answers to queries, in parts that a node with a fault or a stranger may have sent.

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;
use zocket::{ClientId, Hub, Target};

use crate::{
    member::{Member, PATIENCE},
    nats::Nats,
    station::until,
    strangers::Stranger,
};

#[tokio::test]
async fn parts_that_contradict_each_other_make_their_node_missing_and_those_of_others_are_ignored() {
    let nats = Nats::start().await;
    let node = nats.node().await;
    let ann = Member::of(&node);
    ann.join("lobby").await;
    let stranger = Stranger::connect(&nats).await;
    let mut questions = stranger.0.subscribe("zocket.nodes").await.unwrap();
    stranger.flush().await;
    let strange = Uuid::new_v4();
    let ids: Vec<_> = (0..4).map(|_| ClientId::random()).collect();
    let (huge, whole) = (u64::MAX, vec![(strange, 2, 3), (strange, 0, 3), (strange, 1, 3)]);
    let forged = |part, of| [vec![(Uuid::new_v4(), part, of)], whole.clone()].concat();
    let cases = [
        (whole.clone(), 3),
        (forged(0, 1), 3),
        (forged(0, huge), 3),
        (whole[..2].to_vec(), 0),
        (vec![(strange, 0, 0)], 0),
        (vec![(strange, huge, huge)], 0),
        (
            vec![(strange, 0, huge), (strange, 1, huge), (strange, huge - 1, huge)],
            0,
        ),
        (vec![(strange, 0, 2), (strange, 1, 3)], 0),
        (vec![(strange, 0, 2), (strange, 0, 2), (strange, 1, 2)], 0),
    ];
    for (parts, found) in cases {
        let alive = json!({ "alive": { "asks": false, "sizes": 0 } });
        stranger.note("nodes", strange, &alive).await;
        assert!(until(|| node.other_nodes() == [strange]).await);
        let lobby = Target::room("lobby");
        let answers = async {
            let query = loop {
                let note = questions.next().await.unwrap().payload;
                // After the version, the kind and the node.
                let note = serde_json::from_slice::<Value>(&note[18..]).unwrap();
                if let Some(query) = note["find"]["query"].as_u64() {
                    break query;
                }
            };
            for (index, (from, part, of)) in parts.iter().enumerate() {
                let note = json!({ "query": query, "part": part, "of": of, "clients": [ids[index]] });
                let subject = format!("node.{}", node.node().simple());
                stranger.note(&subject, *from, &json!({ "found": note })).await;
            }
        };
        let both = async { tokio::join!(node.clients(&lobby), answers) };
        let (clients, ()) = timeout(PATIENCE, both).await.expect("no answer is given");
        let missing = if found == 0 {
            vec![strange.to_string()]
        } else {
            Vec::new()
        };
        assert_eq!(
            (clients.value.len(), clients.missing),
            (1 + found, missing),
            "{parts:?}"
        );
        assert!(clients.value.contains(&ann.id));
        // A note makes its node known.
        for (unknown, ..) in parts.iter().filter(|(from, ..)| *from != strange) {
            stranger.note("nodes", *unknown, &json!("gone")).await;
        }
    }
}
