//! Clients that come to another node than that of their session.

mod app;
mod calls;
mod strangers;

use serde_json::{Value, json};

use self::app::{Node, Notes};
use crate::{common::until, nats::Nats};

#[tokio::test]
async fn a_session_ends_before_its_client_begins_one_on_another_node() {
    let (nats, notes) = (Nats::start().await, Notes::default());
    let a = Node::start(&nats, &notes, "a").await;
    let b = Node::start(&nats, &notes, "b").await;
    let (mut ann, token) = a.begin("ann").await;
    ann.call("join", json!(null)).await.unwrap();
    drop(ann);
    let (mut ann, welcome) = b.connect("ann", &format!("zocket.resume.{token}.1")).await;
    assert_eq!(
        (&welcome["resumed"], &welcome["ended"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(
        notes.all(),
        ["ann came to a", "ann left a: moved", "ann came to b"],
        "on_disconnect has run before on_connect"
    );
    assert_eq!(
        ann.call("members", json!(null)).await.unwrap(),
        Some(json!(0)),
        "no ghost"
    );
    ann.call("join", json!(null)).await.unwrap();
    assert_eq!(ann.call("members", json!(null)).await.unwrap(), Some(json!(1)));
    assert_eq!((a.zo.connections(), b.zo.connections()), (0, 1));
}

#[tokio::test]
async fn a_live_socket_of_a_session_that_moves_is_closed_with_3501() {
    let (nats, notes) = (Nats::start().await, Notes::default());
    let a = Node::start(&nats, &notes, "a").await;
    let b = Node::start(&nats, &notes, "b").await;
    let (mut old, token) = a.begin("ann").await;
    old.call("join", json!(null)).await.unwrap();
    let (_new, welcome) = b.connect("ann", &format!("zocket.resume.{token}.1")).await;
    assert_eq!(welcome["ended"], 1);
    assert_eq!(old.closed().await, (3501, "replaced".to_owned()));
    assert_eq!(
        notes.all(),
        ["ann came to a", "ann left a: moved", "ann came to b"]
    );
}

#[tokio::test]
async fn a_session_that_has_moved_can_be_resumed_on_its_new_node_and_move_back() {
    let (nats, notes) = (Nats::start().await, Notes::default());
    let a = Node::start(&nats, &notes, "a").await;
    let b = Node::start(&nats, &notes, "b").await;
    let (_, token) = a.begin("ann").await;
    let (ann, welcome) = b.connect("ann", &format!("zocket.resume.{token}.0")).await;
    let (token, id) = (welcome["session"].as_str().unwrap(), &welcome["clientId"]);
    drop(ann);
    let (ann, again) = b.connect("ann", &format!("zocket.resume.{token}.0")).await;
    assert_eq!((&again["resumed"], &again["clientId"]), (&json!(true), id));
    assert_eq!(again["ended"], Value::Null);
    drop(ann);
    let token = again["session"].as_str().unwrap();
    let (_ann, back) = a.connect("ann", &format!("zocket.resume.{token}.0")).await;
    assert_eq!((&back["resumed"], &back["ended"]), (&json!(false), &json!(0)));
    assert_eq!(
        notes.all(),
        [
            "ann came to a",
            "ann left a: moved",
            "ann came to b",
            "ann left b: moved",
            "ann came to a"
        ]
    );
}

#[tokio::test]
async fn a_session_that_was_closed_while_its_client_was_away_is_closed_on_another_node_too() {
    let (nats, notes) = (Nats::start().await, Notes::default());
    let a = Node::start(&nats, &notes, "a").await;
    let b = Node::start(&nats, &notes, "b").await;
    let (mut bob, welcome) = a.connect("bob", "zocket.resume").await;
    let token = welcome["session"].as_str().unwrap();
    bob.call("join", json!(null)).await.unwrap();
    // Without a code, which is a break. The server answers it when it has noticed.
    bob.close().await;
    let (mut ann, _) = a.begin("ann").await;
    ann.call("kick", json!(null)).await.unwrap();
    until(|| a.zo.connections() == 1).await;
    let mut bob = b.dial("bob", &format!("zocket.resume.{token}.1")).await;
    assert_eq!(bob.closed().await, (4000, "kicked".to_owned()));
    assert_eq!(b.zo.connections(), 0);
}
