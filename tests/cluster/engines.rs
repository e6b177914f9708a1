//! Clusters of NATS, and their failures.

use std::{
    error::Error as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};
use zocket::{
    Code, Error, Event, Hub, RawPayload, Target,
    cluster::{ConnectError, Loss, NatsHub, NatsOptions, Recipients},
    layers::Effect,
};

use crate::{
    member::{Member, PATIENCE, said, until_size},
    nats::Nats,
    station::print_recovery,
};

/// Joins rooms on one node, and sends to each from another as soon as the join was answered.
async fn join_and_send(a: &Arc<NatsHub>, b: &Arc<NatsHub>, rooms: u32) {
    let (ann, bob) = (Member::of(a), Member::of(b));
    for number in 0..rooms {
        let room = format!("room {number}");
        bob.join(&room).await;
        ann.say(Target::room(&*room), number).await;
    }
    assert_eq!(bob.hear(rooms as usize).await, (0..rooms).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_server_that_restarts_interrupts_only_what_is_between_nodes() {
    let nats = Nats::start().await;
    let losses = Arc::new(Mutex::new(Vec::<Loss>::new()));
    let (a, seen) = (nats.node().await, losses.clone());
    let options = NatsOptions::default().on_loss(move |loss| seen.lock().unwrap().push(loss));
    let b = NatsHub::connect(&*nats.url(), options).await.unwrap();
    let (ann, bob, carl) = (Member::of(&a), Member::of(&b), Member::of(&a));
    for member in [&ann, &bob, &carl] {
        member.join("lobby").await;
    }
    ann.say(Target::room("lobby"), 0).await;
    assert_eq!(bob.hear(1).await, [0]);
    assert_eq!(carl.hear(1).await, [0]);
    let port = nats.end();
    for number in 1..=100 {
        ann.say(Target::room("lobby"), number).await;
    }
    assert_eq!(
        carl.hear(100).await,
        (1..=100).collect::<Vec<_>>(),
        "members of the same node miss nothing"
    );
    let nats = Nats::start_at(port).await;
    let (mut heard, began) = (Vec::new(), Instant::now());
    let back = async {
        let mut number = 1_000;
        while heard.last().is_none_or(|last| *last < 1_000) {
            ann.say(Target::room("lobby"), number).await;
            number += 1;
            sleep(Duration::from_millis(5)).await;
            let mut events = Vec::new();
            bob.mailbox.pull(&mut events);
            heard.extend(events.iter().map(crate::member::number));
        }
    };
    timeout(PATIENCE, back)
        .await
        .expect("the nodes do not find each other again");
    print_recovery("NATS server restarted", began.elapsed());
    assert!(heard.is_sorted(), "{heard:?}");
    let lost = 100 - heard.iter().filter(|number| **number <= 100).count() as u64;
    let counted = async {
        loop {
            let lost_of = |losses: &[Loss]| losses.iter().map(|loss| loss.events).sum::<u64>();
            if lost_of(&losses.lock().unwrap()) >= lost {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, counted).await.expect("a loss is not reported");
    join_and_send(&a, &b, 100).await;
    drop(nats);
}

#[tokio::test]
async fn local_delivery_goes_on_while_the_server_is_away() {
    let nats = Nats::start().await;
    let options = NatsOptions::default().max_queued_bytes(1 << 20);
    let node = NatsHub::connect(&*nats.url(), options).await.unwrap();
    let (ann, bob) = (Member::of(&node), Member::of(&node));
    bob.join("lobby").await;
    drop(nats);
    let noticed = async {
        while node.is_connected() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, noticed).await.unwrap();
    let mut said = 0;
    // More than the buffers of the hub and of the engine hold together.
    for _ in 0..200 {
        for _ in 0..100 {
            ann.say(Target::room("lobby"), said).await;
            said += 1;
        }
        assert_eq!(bob.hear(100).await.last(), Some(&(said - 1)));
    }
    // Rooms can be joined, too.
    ann.join("attic").await;
}

#[tokio::test]
async fn every_event_that_an_outage_costs_is_counted_at_its_receiver() {
    let nats = Nats::start().await;
    let lost = Arc::new(AtomicU64::new(0));
    let counted = lost.clone();
    let sends = NatsOptions::default().max_queued_bytes(100_000);
    let a = NatsHub::connect(&*nats.url(), sends).await.unwrap();
    let receives = NatsOptions::default().on_loss(move |loss| {
        assert_eq!(loss.recipients, Recipients::Room("lobby".into()));
        counted.fetch_add(loss.events, Ordering::Relaxed);
    });
    let b = NatsHub::connect(&*nats.url(), receives).await.unwrap();
    let (ann, bob) = (Member::of(&a), Member::of(&b));
    bob.join("lobby").await;
    ann.say(Target::room("lobby"), 0).await;
    assert_eq!(bob.hear(1).await, [0]);
    let port = nats.end();
    let noticed = async {
        while a.is_connected() || b.is_connected() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, noticed).await.unwrap();
    // More than the hub and NATS's client keep for its return.
    const SENT: u64 = 20_000;
    for number in 1..=SENT {
        ann.say(Target::room("lobby"), number as u32).await;
    }
    let _nats = Nats::start_at(port).await;
    let mut heard = Vec::new();
    let accounted = async {
        while heard.len() as u64 + lost.load(Ordering::Relaxed) < SENT {
            sleep(Duration::from_millis(20)).await;
            let mut events = Vec::new();
            bob.mailbox.pull(&mut events);
            heard.extend(events.iter().map(crate::member::number));
        }
    };
    let waited = timeout(3 * PATIENCE, accounted).await;
    let lost = lost.load(Ordering::Relaxed);
    assert!(waited.is_ok(), "{} arrived, {lost} lost", heard.len());
    assert_eq!(heard.len() as u64 + lost, SENT);
    assert!(lost > 0 && heard.is_sorted());
}

#[tokio::test]
async fn a_node_that_ends_or_dies_is_forgotten() {
    let nats = Nats::start().await;
    let (a, b) = (nats.node().await, nats.node().await);
    let bob = Member::of(&b);
    bob.join("lobby").await;
    until_size(&a, "lobby", 1).await;
    drop((bob, b));
    until_size(&a, "lobby", 0).await;
}

#[tokio::test]
async fn apps_with_different_prefixes_share_a_server() {
    let nats = Nats::start().await;
    let node = async |prefix: &str| {
        let options = NatsOptions::default().prefix(prefix);
        NatsHub::connect(&*nats.url(), options).await.unwrap()
    };
    let (shop, chat, chat_too) = (node("shop").await, node("chat").await, node("chat").await);
    let (ann, bob, carl) = (Member::of(&shop), Member::of(&chat), Member::of(&chat_too));
    for member in [&ann, &bob, &carl] {
        member.join("lobby").await;
    }
    ann.say(Target::room("lobby"), 1).await;
    bob.say(Target::room("lobby"), 2).await;
    assert_eq!(carl.hear(1).await, [2]);
    assert_eq!(ann.hear(1).await, [1]);
    assert_eq!(shop.size("lobby").await.value, 1);
    let invalid = NatsHub::connect(&*nats.url(), NatsOptions::default().prefix("a b")).await;
    assert!(invalid.unwrap_err().to_string().contains("prefix `a b`"));
}

#[tokio::test]
async fn a_node_connects_to_any_server_of_its_list() {
    let nats = Nats::start().await;
    let servers = vec!["nats://127.0.0.1:1".to_owned(), nats.url()];
    let node = NatsHub::connect(servers, NatsOptions::default()).await.unwrap();
    assert!(node.is_connected());
}

#[tokio::test]
async fn without_a_server_the_app_learns_why() {
    let servers = vec!["nats://ann:secret@127.0.0.1:1", "tls://token@[::1]:2"];
    let refused = NatsHub::connect(servers, NatsOptions::default()).await;
    let refused = refused.unwrap_err();
    let text = "no connection to NATS at nats://127.0.0.1:1, tls://[::1]:2: IO error";
    assert_eq!(refused.to_string(), text);
    // The cause is told by the source alone.
    let source = refused.source().unwrap();
    assert!(source.to_string().contains("refused"), "{source}");
    assert!(source.source().is_none());
    for servers in [vec![], vec!["nats://127.0.0.1:1,nats://127.0.0.1:2"]] {
        let invalid = NatsHub::connect(servers, NatsOptions::default())
            .await
            .unwrap_err();
        assert!(matches!(invalid, ConnectError::Option(_)), "{invalid}");
    }
}

#[tokio::test]
async fn an_event_that_the_server_does_not_accept_is_refused_before_anyone_receives_it() {
    let nats = Nats::start().await;
    let (a, b) = (nats.node().await, nats.node().await);
    let (ann, bob) = (Member::of(&a), Member::of(&b));
    for member in [&ann, &bob] {
        member.join("lobby").await;
    }
    let text = format!("\"{}\"", "x".repeat(1 << 20));
    let event = Event::from_payload("said", RawPayload::json(text)).unwrap();
    let to = Target::room("lobby");
    let refused = a.perform(Some(&ann.id), Effect::Emit { to, event }).unwrap_err();
    assert_eq!(Error::from(refused).code(), Code::PAYLOAD_TOO_LARGE);
    ann.say(Target::room("lobby"), 1).await;
    assert_eq!(ann.hear(1).await, [1]);
    assert_eq!(bob.hear(1).await, [1]);
}

#[tokio::test]
async fn any_name_can_be_a_room() {
    let nats = Nats::start().await;
    let (a, b) = (nats.node().await, nats.node().await);
    let (ann, bob) = (Member::of(&a), Member::of(&b));
    let long = "房".repeat(80);
    let names = ["", " ", ".", "a.b", "*", ">", "a b\n", "=", "🦀", &long];
    for (number, name) in (0..).zip(names) {
        bob.join(name).await;
        ann.say(Target::room(name), number).await;
    }
    assert_eq!(
        bob.hear(names.len()).await,
        (0..names.len() as u32).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn more_than_may_wait_is_refused_before_anyone_receives_it() {
    let nats = Nats::start().await;
    let options = NatsOptions::default().max_queued_bytes(10_000);
    let node = NatsHub::connect(&*nats.url(), options).await.unwrap();
    let ann = Member::of(&node);
    ann.join("lobby").await;
    // The task that sends does not run in between.
    let mut sent = 0;
    let refusal = loop {
        let to = Target::room("lobby");
        match node.perform(
            Some(&ann.id),
            Effect::Emit {
                to,
                event: said(sent),
            },
        ) {
            Ok(_) => sent += 1,
            Err(full) => break Error::from(full),
        }
    };
    assert_eq!(refusal.code(), Code::OVERLOADED);
    assert!(sent > 50, "{sent}");
    assert_eq!(ann.hear(sent as usize).await.len(), sent as usize);
    node.flush().await.unwrap();
    ann.say(Target::room("lobby"), 1).await;
}
