//! Questions about a session that do not come from its client, or get no answer. None of them disturbs a session.

use std::{future::ready, sync::atomic::Ordering};

use async_nats::{Client as Tap, Message, Subscriber};
use futures_util::StreamExt;
use http::request::Parts;
use serde_json::{Value, json};
use tokio::time::timeout;
use zocket::{Context, NoHeaders};

use super::app::{Node, Notes};
use crate::{
    common::{Client, PATIENCE},
    nats::Nats,
};

/// Listens to all questions between nodes.
async fn tap(nats: &Nats) -> (Tap, Subscriber) {
    let tap = async_nats::connect(nats.url()).await.unwrap();
    let mut messages = tap.subscribe("zocket.node.>").await.unwrap();
    // A flush of NATS's client does not wait until the server has the subscription.
    tap.publish("zocket.node.begin", "".into()).await.unwrap();
    while !messages.next().await.unwrap().subject.ends_with(".begin") {}
    (tap, messages)
}

/// Asserts that a welcome is that of a client that no session was ended for.
fn assert_stranger(welcome: &Value) {
    assert_eq!(
        (&welcome["resumed"], &welcome["ended"]),
        (&json!(false), &Value::Null)
    );
}

/// Asserts that a client is connected to the session that it began with.
async fn assert_undisturbed(client: &mut Client, notes: &Notes) {
    client.call("join", json!(null)).await.unwrap();
    let left: Vec<_> = notes
        .all()
        .into_iter()
        .filter(|note| note.contains(" left "))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_guess_a_stale_client_and_a_malformed_offer_leave_the_session_alone() {
    let (nats, notes) = (Nats::start().await, Notes::default());
    let a = Node::start(&nats, &notes, "a").await;
    let b = Node::start(&nats, &notes, "b").await;
    let (mut ann, token) = a.begin("ann").await;
    let (digits, node) = token.split_once('-').unwrap();
    let (id, secret) = digits.split_at(32);
    let other = if secret.starts_with('0') { "1" } else { "0" };
    let offers = [
        format!("zocket.resume.{id}{other}{}-{node}.0", &secret[1..]),
        format!("zocket.resume.{}{secret}-{node}.0", "0".repeat(32)),
        format!("zocket.resume.{token}.99"),
        format!("zocket.resume.{token}."),
        format!("zocket.resume.{id}{secret}-.0"),
        format!("zocket.resume.{id}{secret}.0"),
        format!("zocket.resume.{id}{secret}-{}.0", node.to_uppercase()),
    ];
    for offer in offers {
        assert_stranger(&b.connect("ann", &offer).await.1);
    }
    // The token is right, and the headers are another user's.
    let offer = format!("zocket.resume.{token}.0");
    assert_stranger(&b.connect("bob", &offer).await.1);
    assert_undisturbed(&mut ann, &notes).await;
    // The client itself still can.
    assert_eq!(b.connect("ann", &offer).await.1["ended"], 1);
}

#[tokio::test]
async fn on_resume_is_not_asked_about_a_client_of_another_node_and_the_headers_decide() {
    let (nats, notes) = (Nats::start().await, Notes::default());
    let asked = notes.clone();
    let a = Node::start_with(&nats, &notes, "a", |builder| {
        builder.on_resume(move |_: NoHeaders, _: Parts, cx: Context<String>| {
            asked.note(format!("on_resume was asked about {}", *cx));
            ready(Ok(true))
        })
    });
    let a = a.await;
    let b = Node::start(&nats, &notes, "b").await;
    let (mut ann, token) = a.begin("ann").await;
    let offer = format!("zocket.resume.{token}.0");
    assert_stranger(&b.connect("bob", &offer).await.1);
    assert_undisturbed(&mut ann, &notes).await;
    assert_eq!(b.connect("ann", &offer).await.1["ended"], 1);
    let notes = notes.all();
    assert!(notes.iter().all(|note| !note.contains("on_resume")), "{notes:?}");
}

#[tokio::test]
async fn whoever_listens_to_nats_learns_no_token_and_can_repeat_no_question() {
    let (nats, notes) = (Nats::start().await, Notes::default());
    let a = Node::start(&nats, &notes, "a").await;
    let b = Node::start(&nats, &notes, "b").await;
    let (tap, mut messages) = tap(&nats).await;
    let (mut ann, token) = a.begin("ann").await;
    let (digits, node) = token.split_once('-').unwrap();
    let offer = format!("zocket.resume.{token}.0");
    let mut questions = Vec::new();
    // A slow machine may not get to the second question in time, or publish it after the end.
    while !matches!(&questions[..], [first, second] if !is(first, "proof") && is(second, "proof")) {
        questions.clear();
        assert_stranger(&b.connect("bob", &offer).await.1);
        // What the nodes have said before arrives before this.
        tap.publish("zocket.node.end", "".into()).await.unwrap();
        loop {
            let message = timeout(PATIENCE, messages.next()).await.unwrap().unwrap();
            if message.subject.ends_with(".end") {
                break;
            }
            assert!(!is(&message, &digits[32..]), "{message:?}");
            if is(&message, "\"ask\":") {
                assert!(
                    message.subject.ends_with(node),
                    "only the session's node is asked"
                );
                questions.push(message);
            }
        }
    }
    for question in questions {
        tap.publish(question.subject, question.payload).await.unwrap();
    }
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let message = timeout(PATIENCE, messages.next()).await.unwrap().unwrap();
        if is(&message, "\"told\":") {
            answers.push(message);
        }
    }
    // The first question has a new challenge as its answer. The proof is for the challenge before.
    let unanswered = answers.iter().filter(|answer| is(answer, "null")).count();
    assert_eq!(unanswered, 1, "{answers:?}");
    assert_undisturbed(&mut ann, &notes).await;
}

/// Returns true if a message has this text.
fn is(message: &Message, text: &str) -> bool {
    String::from_utf8_lossy(&message.payload).contains(text)
}

#[tokio::test]
async fn a_node_that_is_not_there_is_not_asked() {
    let (nats, notes) = (Nats::start().await, Notes::default());
    let a = Node::start(&nats, &notes, "a").await;
    let (_tap, mut messages) = tap(&nats).await;
    let (_, token) = a.begin("ann").await;
    let gone = uuid::Uuid::new_v4().simple().to_string();
    let (digits, _) = token.split_once('-').unwrap();
    let (_ann, welcome) = a
        .connect("ann", &format!("zocket.resume.{digits}-{gone}.0"))
        .await;
    assert_eq!(welcome["resumed"], true, "a session is found by its client's id");
    let other = format!("{}{}", "0".repeat(32), &digits[32..]);
    let (mut ann, welcome) = a.connect("ann", &format!("zocket.resume.{other}-{gone}.0")).await;
    assert_stranger(&welcome);
    ann.call("join", json!(null)).await.unwrap();
    // A question would have been published before the node greets another one.
    let _b = Node::start(&nats, &notes, "b").await;
    let first = timeout(PATIENCE, messages.next()).await.unwrap().unwrap();
    assert!(!first.subject.ends_with(&gone), "{first:?}");
}

#[tokio::test]
async fn a_node_that_does_not_answer_leaves_the_client_a_stranger() {
    let (nats, notes) = (Nats::start().await, Notes::default());
    let a = Node::start(&nats, &notes, "a").await;
    let b = Node::start(&nats, &notes, "b").await;
    let (mut ann, token) = a.begin("ann").await;
    a.is_mute.store(true, Ordering::Relaxed);
    let offer = format!("zocket.resume.{token}.0");
    assert_stranger(&b.connect("ann", &offer).await.1);
    assert_undisturbed(&mut ann, &notes).await;
    // Without an engine, nobody can be asked either.
    a.is_mute.store(false, Ordering::Relaxed);
    drop(nats);
    assert_stranger(&b.connect("ann", &offer).await.1);
    assert_undisturbed(&mut ann, &notes).await;
}
