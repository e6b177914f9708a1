//! The cluster's example: NATS, two nodes and a balancer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{io::AsyncWriteExt, select, time::timeout};
use zocket::{Outgoing, client::Client};

use super::{PATIENCE, process::Example};

#[tokio::test]
async fn cluster_serves_one_room_on_two_nodes_and_goes_on_with_either() {
    #[derive(Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
    struct Said {
        from: String,
        node: String,
        text: String,
    }
    impl Outgoing for Said {
        const TYPE: &'static str = "chat.message";
    }
    #[derive(Deserialize)]
    struct Here {
        node: String,
        people: usize,
        nats: Nats,
    }
    #[derive(Deserialize)]
    struct Nats {
        accepted: u64,
    }
    let mut example = Example::start_with_input("cluster").await;
    let url = format!("ws://{}/ws", example.addr);
    let connect = async |name: &str| {
        let builder = Client::builder(&url).headers(&json!({ "name": name })).unwrap();
        builder.connect().await.unwrap()
    };
    let (ann, bob) = (connect("Ann").await, connect("Bob").await);
    let here = async |client: &Client| client.call_route::<Here>("here", &json!(null)).await.unwrap();
    let nodes = [here(&ann).await, here(&bob).await].map(|here| here.node);
    assert_eq!(nodes, ["A", "B"]);
    let (mut heard, post) = (bob.on::<Said>(), json!({ "text": "hello" }));
    ann.call_route::<()>("chat.post", &post).await.unwrap();
    let said = |node: &str| Said {
        from: "Ann".into(),
        node: node.into(),
        text: "hello".into(),
    };
    let next = timeout(PATIENCE, heard.next()).await.unwrap();
    assert_eq!(next.unwrap().unwrap(), said("A"));

    let input = example.child.stdin.as_mut().unwrap();
    for (commands, survivor) in [("kill A\n", "B"), ("start A\nstop B\n", "A")] {
        input.write_all(commands.as_bytes()).await.unwrap();
        // A post may still reach the other node, or be lost with it, so Ann posts until a line of the survivor arrives.
        let posts = async {
            loop {
                drop(ann.call_route::<()>("chat.post", &post).await);
            }
        };
        let line = said(survivor);
        let moved = async { while !matches!(heard.next().await, Some(Ok(heard)) if heard == line) {} };
        let moved = async {
            select! {
                () = moved => {}
                () = posts => {}
            }
        };
        timeout(PATIENCE, moved).await.expect("no line of the survivor");
    }

    let here = here(&ann).await;
    assert!(here.people >= 2 && here.nats.accepted > 0);
    // Ends the example, and NATS and the nodes with it.
    drop(example.child.stdin.take());
    let status = timeout(PATIENCE, example.child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}
