//! A session that is cut and resumed.

use futures_util::FutureExt;
use serde_json::json;
use zocket::{Limits, Reason};

use super::{
    app::{Text, Tick, start},
    peer::{Peer, dial, read},
};

#[tokio::test]
async fn a_welcome_has_what_it_takes_to_resume() {
    let (_, _, service) = start(Limits::default());
    let peer = Peer::connected(&service, "").await;
    let welcome = &peer.welcome;
    assert_eq!(welcome["features"], json!(["refusals", "flow", "resume"]));
    assert_eq!(welcome["resumed"], false);
    assert_eq!((&welcome["received"], &welcome["sent"]), (&json!(0), &json!(0)));
    assert_eq!(
        (&welcome["ackMs"], &welcome["parkedMs"]),
        (&json!(1_000), &json!(30_000))
    );
    assert_eq!(welcome["limits"]["record"], 1 << 20);
    let token = welcome["session"].as_str().unwrap();
    assert!(
        token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    );
}

#[tokio::test]
async fn a_client_that_does_not_offer_it_gets_nothing_of_it() {
    for (limits, offers) in [
        (Limits::default(), "zocket.v1.json"),
        (
            Limits::default().resume_within(std::time::Duration::ZERO),
            "zocket.v1.json, zocket.resume",
        ),
    ] {
        let (world, zo, service) = start(limits);
        let (mut socket, _) = dial(&service, "", offers, &[], usize::MAX).await.unwrap();
        let welcome = read(&mut socket).await.unwrap();
        for member in ["session", "resumed", "received", "sent", "ackMs", "parkedMs"] {
            assert!(welcome["payload"].get(member).is_none(), "{member}");
        }
        assert!(welcome["payload"]["limits"].get("record").is_none());
        let features = welcome["payload"]["features"].as_array().unwrap();
        assert_eq!(features.contains(&json!("resume")), offers == "zocket.v1.json");
        drop(socket);
        world.until_departed(1).await;
        assert_eq!(world.departed(), [(String::new(), Reason::Cut)]);
        assert_eq!(zo.connections(), 0);
    }
}

#[tokio::test]
async fn a_session_that_was_cut_goes_on() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "name=ann").await;
    let id = ann.welcome["clientId"].clone();
    ann.call("add", json!(7), 1).await;
    assert_eq!(
        ann.next().await,
        json!({"type": "__rpc_res", "payload": 7, "rpcId": 1})
    );
    ann.cut();
    // These are sent while nobody is connected.
    for n in 0..3 {
        zo.emitter().send(Tick(n)).to_room("lobby").unwrap();
    }
    assert!(ann.connect().await);
    assert_eq!(ann.welcome["clientId"], id);
    assert_eq!(
        (&ann.welcome["received"], &ann.welcome["sent"]),
        (&json!(1), &json!(4))
    );
    for n in 0..3 {
        assert_eq!(ann.next().await, json!({"type": "tick", "payload": n}));
    }
    ann.call("add", json!(8), 2).await;
    assert_eq!(ann.next().await["rpcId"], 2);
    assert_eq!((world.added(), world.connected()), (vec![7, 8], 1));
    assert_eq!(zo.emitter().size("lobby").await, 1);
    assert_eq!(world.departed(), []);
}

#[tokio::test]
async fn a_handler_goes_on_while_its_client_is_away() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.call("gate", json!(null), 1).await;
    assert_eq!(ann.next().await["payload"], 0);
    ann.call("add", json!(5), 2).await;
    ann.ping().await;
    ann.cut();
    let context = zo.contexts().pop().unwrap();
    let closed = context.closed();
    assert!(context.closed().now_or_never().is_none());
    world.open_gate();
    crate::common::until(|| world.added() == [5]).await;
    assert!(ann.connect().await);
    assert_eq!(ann.next().await, json!({"type": "tick", "payload": 1}));
    assert_eq!(
        ann.next().await,
        json!({"type": "__rpc_res", "payload": "ann", "rpcId": 1})
    );
    assert_eq!(
        ann.next().await,
        json!({"type": "__rpc_res", "payload": 5, "rpcId": 2})
    );
    ann.close(1000, "bye").await;
    world.until_departed(1).await;
    closed.await;
}

#[tokio::test]
async fn a_call_that_never_arrived_is_sent_again_and_runs_once() {
    let (world, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    for n in 1..=3 {
        ann.call("add", json!(n), n).await;
    }
    for n in 1..=3 {
        assert_eq!(ann.next().await["rpcId"], n);
    }
    ann.cut_after(20);
    ann.call("add", json!(4), 4).await;
    ann.call("add", json!(5), 5).await;
    ann.cut();
    assert!(ann.connect().await);
    assert_eq!(ann.welcome["received"], 3);
    assert_eq!(ann.next().await["rpcId"], 4);
    assert_eq!(ann.next().await["rpcId"], 5);
    assert_eq!(world.added(), [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_message_that_does_nothing_takes_the_place_of_one_that_is_not_sent_again() {
    let (world, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.send(json!({"type": "__void"})).await;
    ann.call("add", json!(1), 1).await;
    assert_eq!(ann.next().await["rpcId"], 1);
    ann.cut();
    assert!(ann.connect().await);
    assert_eq!(ann.welcome["received"], 2);
    assert_eq!(world.added(), [1]);
}

#[tokio::test]
async fn every_frame_but_those_of_the_connection_is_counted() {
    let (_, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    for uncounted in ["__ping", "__pong", "__welcome"] {
        ann.write(&json!({ "type": uncounted })).await;
    }
    ann.write(&json!({"type": "__ack", "payload": 0.0})).await;
    // A type that can't be read, one that is reserved and unknown, and one that is no route.
    for counted in [json!(7), json!({"type": "__unknown"}), json!({"type": "none"})] {
        ann.send(counted).await;
        assert_eq!(ann.next().await["type"], "__error");
    }
    ann.cut();
    assert!(ann.connect().await);
    assert_eq!(
        (&ann.welcome["received"], &ann.welcome["sent"]),
        (&json!(3), &json!(3))
    );
}

#[tokio::test]
async fn an_answer_near_the_limit_of_a_message_is_kept() {
    let (_, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    let bytes = (1 << 20) - 100;
    zo.emitter().send(Text("first".to_owned())).broadcast().unwrap();
    assert_eq!(ann.next().await["type"], "text");
    ann.call("text", json!(bytes), 1).await;
    ann.cut_after(100_000);
    assert!(ann.try_next().await.is_err());
    assert!(ann.connect().await);
    let answer = ann.next().await;
    assert_eq!(answer["payload"].as_str().unwrap().len(), bytes);
    // Once more, after it was written wholly.
    ann.received = 1;
    ann.token = ann.welcome["session"].as_str().map(str::to_owned);
    ann.acknowledges = false;
    ann.cut();
    assert!(ann.connect().await);
    assert_eq!(ann.next().await["payload"].as_str().unwrap().len(), bytes);
}

#[tokio::test]
async fn a_session_is_resumed_again_and_again() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    let mut tokens = std::collections::HashSet::new();
    for n in 0..20 {
        zo.emitter().send(Tick(n)).to_room("lobby").unwrap();
        assert_eq!(ann.next().await["payload"], n);
        assert!(tokens.insert(ann.token.clone()), "a new token each time");
        ann.cut();
        assert!(ann.connect().await);
    }
    assert_eq!(world.connected(), 1);
}
