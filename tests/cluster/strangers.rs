//! Messages that no node of this app has sent: of older and newer versions, of nodes with faults, and of strangers.

use std::{error::Error as _, sync::Arc, time::Duration};

use async_nats::Client;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::{Instant, timeout},
};
use uuid::Uuid;
use zocket::{
    Target,
    cluster::{ConnectError, NatsHub, NatsOptions},
};

use crate::{
    member::{Member, until_size},
    nats::{Nats, Port},
    station::until,
};

/// A program that publishes to the subjects of an app.
pub(crate) struct Stranger(pub(crate) Client);

impl Stranger {
    pub(crate) async fn connect(nats: &Nats) -> Self {
        Self(async_nats::connect(nats.url()).await.unwrap())
    }

    async fn publish(&self, subject: &str, payload: Vec<u8>) {
        let subject = format!("zocket.{subject}");
        self.0.publish(subject, payload.into()).await.unwrap();
    }

    pub(crate) async fn note(&self, subject: &str, node: Uuid, note: &Value) {
        self.publish(subject, message(2, node, note.to_string().as_bytes()))
            .await;
    }

    /// Waits until NATS has everything.
    pub(crate) async fn flush(&self) {
        self.0.flush().await.unwrap();
    }
}

fn message(kind: u8, node: Uuid, content: &[u8]) -> Vec<u8> {
    [&[1, kind], &node.as_bytes()[..], content].concat()
}

/// Returns the content of an event without a target.
fn event(chain: u32, position: u64, id: u64, frame: &[u8]) -> Vec<u8> {
    let mut content = chain.to_be_bytes().to_vec();
    content.extend(position.to_be_bytes());
    content.extend(id.to_be_bytes());
    content.extend([0, 0, 0, 0, 0, 1, 0]);
    content.extend(u32::try_from(frame.len()).unwrap().to_be_bytes());
    content.extend(frame);
    content
}

/// Two nodes with a member each in the lobby.
async fn lobby(nats: &Nats) -> [(Arc<NatsHub>, Member); 2] {
    let nodes = [nats.node().await, nats.node().await];
    let nodes = nodes.map(|node| (node.clone(), Member::of(&node)));
    for (_, member) in &nodes {
        member.join("lobby").await;
    }
    nodes
}

/// Asserts that events arrive in both directions.
async fn assert_works(nodes: &[(Arc<NatsHub>, Member); 2]) {
    let [(_, ann), (_, bob)] = nodes;
    ann.say(Target::room("lobby"), 1).await;
    assert_eq!(bob.hear(1).await, [1]);
    assert_eq!(ann.hear(1).await, [1]);
    bob.say(Target::room("lobby"), 2).await;
    assert_eq!(ann.hear(1).await, [2]);
    assert_eq!(bob.hear(1).await, [2]);
}

#[tokio::test]
async fn malformed_messages_are_ignored() {
    let nats = Nats::start().await;
    let nodes = lobby(&nats).await;
    let stranger = Stranger::connect(&nats).await;
    let node = Uuid::new_v4();
    let own = *nodes[0].0.node().as_bytes();
    let frame = b"\x81\x15{\"type\":\"a\",\"data\":1}";
    let whole = message(1, node, &event(1, 1, 0, frame));
    let mut messages: Vec<_> = (0..whole.len()).map(|length| whole[..length].to_vec()).collect();
    messages.extend([
        vec![0; 1 << 20],
        vec![255; 1 << 20],
        [&[2, 2][..], &own, b"{}"].concat(),
        [&[1, 9][..], &own, b"{}"].concat(),
        message(2, node, b"\"later\""),
        message(2, node, b"{\"alive\":{\"asks\":true,\"sizes\":-1}}"),
        message(
            2,
            node,
            b"{\"alive\":{\"asks\":true,\"sizes\":99999999999999999999}}",
        ),
        message(2, node, "[".repeat(1 << 19).as_bytes()),
        message(
            1,
            node,
            &event(1, 1, 0, b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"),
        ),
        message(1, node, &event(1, 1, 0, b"\x81\x02\xff\xfe")),
        message(1, node, &event(1, 1, 0, b"\x82\x02{}")),
        message(1, node, &event(1, 1, 0, b"\x01\x02{}")),
        message(1, node, &event(1, 1, 0, b"\x81\x02{]")),
        message(1, node, &event(1, 1, 0, b"\x88\x00")),
    ]);
    for payload in messages {
        for subject in [
            "nodes",
            "everyone",
            "room.lobby",
            &format!("node.{}", nodes[0].0.node().simple()),
        ] {
            stranger.publish(subject, payload.clone()).await;
        }
    }
    stranger.flush().await;
    assert_works(&nodes).await;
    assert_eq!(nodes[0].0.other_nodes(), [nodes[1].0.node()]);
}

#[tokio::test]
async fn sizes_of_any_number_stop_no_node() {
    let nats = Nats::start().await;
    let nodes = lobby(&nats).await;
    let stranger = Stranger::connect(&nats).await;
    let strange = [(); 3].map(|()| Uuid::new_v4());
    for node in strange {
        stranger
            .note(
                "nodes",
                node,
                &json!({ "alive": { "asks": true, "sizes": u64::MAX } }),
            )
            .await;
        for (number, of) in [(u64::MAX, u64::MAX), (0, 0)] {
            let rooms = json!([["lobby", u64::MAX], ["lobby", u64::MAX], ["", 1]]);
            let all = json!({ "all_sizes": { "number": number, "part": 0, "of": of, "rooms": rooms } });
            stranger.note("nodes", node, &all).await;
            let changed = json!({ "sizes": { "number": number + u64::from(of == 0), "rooms": rooms } });
            stranger.note("nodes", node, &changed).await;
        }
    }
    stranger.flush().await;
    until_size(&nodes[0].0, "lobby", 2 + 3 * u32::MAX as usize).await;
    assert_works(&nodes).await;
    for node in strange {
        stranger.note("nodes", node, &json!("gone")).await;
    }
    until_size(&nodes[0].0, "lobby", 2).await;
}

#[tokio::test]
async fn ten_thousand_strange_nodes_do_not_stop_those_that_are_known() {
    let nats = Nats::start().await;
    let nodes = lobby(&nats).await;
    let stranger = Stranger::connect(&nats).await;
    let frame = b"\x81\x0c{\"type\":\"a\"}";
    for id in 1..=10_000 {
        let node = Uuid::new_v4();
        stranger
            .note("nodes", node, &json!({ "alive": { "asks": false, "sizes": 0 } }))
            .await;
        stranger
            .publish("room.attic", message(1, Uuid::new_v4(), &event(1, 1, id, frame)))
            .await;
        stranger
            .note(
                "everyone",
                node,
                &json!({ "last": { "chain": 1, "position": 5 } }),
            )
            .await;
    }
    stranger.flush().await;
    assert_works(&nodes).await;
    let known = nodes[0].0.other_nodes();
    assert!(known.contains(&nodes[1].0.node()));
    assert!(known.len() <= 1 << 10, "{}", known.len());
}

#[tokio::test]
async fn notes_of_strangers_are_answered_and_change_nothing() {
    let nats = Nats::start().await;
    let nodes = lobby(&nats).await;
    let stranger = Stranger::connect(&nats).await;
    let [first, second] = [&nodes[0].0, &nodes[1].0].map(|node| node.node());
    let inbox = format!("node.{}", first.simple());
    let node = Uuid::new_v4();
    let clients: Vec<_> = (0..20_000).map(|_| Uuid::new_v4()).collect();
    let disconnect = json!({ "disconnect": { "code": 4000, "reason": "x" } });
    let notes = [
        json!({ "settled": { "barrier": u64::MAX } }),
        json!({ "settle": { "barrier": u64::MAX } }),
        json!({ "found": { "query": 1, "clients": clients } }),
        json!({ "told": { "query": 1, "answer": "x".repeat(1 << 19) } }),
        json!({ "ask": { "query": u64::MAX, "question": "x".repeat(1 << 19) } }),
        json!({ "find": { "query": u64::MAX, "clients": { "clients": clients } } }),
        json!({ "manage": { "clients": { "clients": [] }, "action": disconnect } }),
        json!({ "manage": { "clients": { "clients": clients }, "action": disconnect } }),
        json!({ "manage": { "clients": { "rooms": [""] }, "action": { "join": "x".repeat(1 << 19) } } }),
        json!({ "last": { "chain": u32::MAX, "position": u64::MAX } }),
    ];
    for note in notes {
        for node in [node, first] {
            stranger.note(&inbox, node, &note).await;
        }
    }
    stranger.flush().await;
    assert_works(&nodes).await;
    stranger.note("nodes", node, &json!("gone")).await;
    stranger.flush().await;
    assert!(until(|| nodes[0].0.other_nodes() == [second]).await);
}

#[tokio::test]
async fn a_flood_of_questions_does_not_stop_events() {
    let nats = Nats::start().await;
    let nodes = lobby(&nats).await;
    for room in 0..2_000_i32 {
        nodes[0].1.join(&format!("room-{room}")).await;
        nodes[0].1.leave(&format!("room-{}", room - 20)).await;
    }
    let stranger = Stranger::connect(&nats).await;
    let flood = tokio::spawn(async move {
        let node = Uuid::new_v4();
        loop {
            for note in [
                json!({ "alive": { "asks": true, "sizes": 1 } }),
                json!("ask_sizes"),
                json!({ "settle": { "barrier": 1 } }),
                json!({ "ask": { "query": 1, "question": "?" } }),
            ] {
                stranger.note("nodes", node, &note).await;
            }
        }
    });
    for _ in 0..20 {
        assert_works(&nodes).await;
    }
    flood.abort();
}

#[tokio::test]
async fn a_node_that_asks_for_all_sizes_all_the_time_is_told_them_once_a_second() {
    const TIMES: usize = 5_000;
    let nats = Nats::start().await;
    let nodes = lobby(&nats).await;
    let (stranger, node) = (Stranger::connect(&nats).await, Uuid::new_v4());
    let subject = format!("zocket.node.{}", node.simple());
    let mut answers = stranger.0.subscribe(subject).await.unwrap();
    let inbox = format!("node.{}", nodes[0].0.node().simple());
    let began = Instant::now();
    for _ in 0..TIMES {
        stranger.note(&inbox, node, &json!("ask_sizes")).await;
    }
    stranger
        .note(&inbox, node, &json!({ "settle": { "barrier": 7 } }))
        .await;
    let (mut told, mut settled) = (0, false);
    while !settled {
        let answer = timeout(Duration::from_secs(20), answers.next())
            .await
            .unwrap()
            .unwrap();
        let note: Value = serde_json::from_slice(&answer.payload[18..]).unwrap();
        told += u64::from(note.get("all_sizes").is_some());
        settled = note.get("settled").is_some();
    }
    assert!((1..=1 + began.elapsed().as_secs()).contains(&told), "{told}");
}

#[tokio::test]
async fn a_node_that_may_not_use_its_subjects_is_refused() {
    for permissions in [
        r#"{ publish: ">", subscribe: "shop.>" }"#,
        r#"{ publish: "shop.>", subscribe: ">" }"#,
        r#"{ publish: "shop.>", subscribe: "shop.>" }"#,
    ] {
        let users = format!("{{ user: a, password: b, permissions: {permissions} }}");
        let nats = Nats::start_configured(&format!("authorization {{ users: [{users}] }}")).await;
        let connection = || async_nats::ConnectOptions::new().user_and_password("a".into(), "b".into());
        let options = || NatsOptions::default().connection(connection());
        let refused = NatsHub::connect(nats.url(), options()).await.unwrap_err();
        let text = format!(
            "NATS at {} does not accept the subscriptions of this node",
            nats.url()
        );
        assert_eq!(refused.to_string(), text);
        let source = refused.source().unwrap().to_string();
        assert!(source.contains("zocket."), "{source}");
        let node = NatsHub::connect(nats.url(), options().prefix("shop"))
            .await
            .unwrap();
        assert!(node.is_connected());
    }
}

#[tokio::test]
async fn what_is_not_nats_is_refused_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    // It answers like an HTTP server, or says nothing.
    tokio::spawn(async move {
        for answer in [&b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"[..], b""] {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(answer).await.unwrap();
            tokio::spawn(async move { while socket.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {} });
        }
        std::future::pending::<()>().await;
    });
    let nobody = Port::free();
    for url in [
        format!("nats://{addr}"),
        format!("nats://{addr}"),
        format!("nats://127.0.0.1:{}", nobody.number()),
        "nats://".to_owned(),
        "http://127.0.0.1".to_owned(),
        String::new(),
    ] {
        let refused = timeout(
            Duration::from_secs(15),
            NatsHub::connect(&*url, NatsOptions::default()),
        );
        let refused = refused.await.expect("it does not answer").unwrap_err();
        match url.starts_with("http:") {
            true => assert!(matches!(refused, ConnectError::Option(_))),
            false => assert!(matches!(refused, ConnectError::Connection { .. })),
        }
    }
}

#[tokio::test]
async fn wrong_credentials_and_missing_tls_are_refused() {
    let nats = Nats::start_configured("authorization { user: \"a\", password: \"b\" }").await;
    for connection in [
        async_nats::ConnectOptions::new(),
        async_nats::ConnectOptions::new().user_and_password("a".into(), "c".into()),
        async_nats::ConnectOptions::new().token("t".into()),
    ] {
        let options = NatsOptions::default().connection(connection);
        let refused = NatsHub::connect(nats.url(), options).await.unwrap_err();
        assert!(refused.to_string().contains("authorization"), "{refused}");
    }
    let plain = Nats::start().await;
    let connection = async_nats::ConnectOptions::new().require_tls(true);
    let options = NatsOptions::default().connection(connection);
    let refused = timeout(Duration::from_secs(15), NatsHub::connect(plain.url(), options));
    assert!(refused.await.unwrap().is_err());
}

#[tokio::test]
async fn odd_options_work_or_are_refused() {
    let nats = Nats::start().await;
    let longest = "x".repeat(1_024);
    let options = || NatsOptions::default().prefix(longest.clone()).max_queued_bytes(0);
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let node = NatsHub::connect(nats.url(), options()).await.unwrap();
        nodes.push((node.clone(), Member::of(&node)));
    }
    let room = "=".repeat(300);
    for (_, member) in &nodes {
        member.join(&room).await;
    }
    nodes[0].1.say(Target::room(&*room), 7).await;
    assert_eq!(nodes[1].1.hear(1).await, [7]);
    // A hub that is dropped with its clients leaves at once.
    let (node, member) = nodes.pop().unwrap();
    drop(member);
    drop(node);
    assert!(until(|| nodes[0].0.other_nodes().is_empty()).await);
    for prefix in [
        "x".repeat(1_025),
        String::new(),
        "a b".into(),
        "a.>".into(),
        "é".into(),
    ] {
        let refused = NatsHub::connect(nats.url(), NatsOptions::default().prefix(prefix)).await;
        assert!(matches!(refused, Err(ConnectError::Option(_))));
    }
}
