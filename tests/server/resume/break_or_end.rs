//! Ends of a connection that its session survives, and ends that it does not.

use std::time::Duration;

use serde_json::json;
use zocket::{Close, Limits, Reason, Shutdown};

use super::{
    app::{Tick, start},
    peer::{Broken, Failed, Peer, dial, read},
};
use crate::common::until;

#[tokio::test(start_paused = true)]
async fn a_server_that_was_stopped_gives_a_parked_client_more_time_once() {
    let limits = Limits::default();
    let (window, more) = (limits.resume_within, limits.pong_within);
    let (world, zo, service) = start(limits);
    let mut ann = Peer::connected(&service, "name=ann").await;
    let mut bob = Peer::connected(&service, "name=bob").await;
    for peer in [&mut ann, &mut bob] {
        peer.ping().await;
        peer.cut();
    }
    tokio::time::sleep(window - Duration::from_secs(1)).await;
    tokio::time::advance(Duration::from_secs(3_600)).await;
    tokio::time::sleep(more - Duration::from_secs(1)).await;
    assert_eq!((world.departed(), zo.connections()), (Vec::new(), 2));
    assert!(ann.connect().await);
    ann.ping().await;
    tokio::time::advance(Duration::from_secs(3_600)).await;
    until(|| world.departed() == [("bob".to_owned(), Reason::Expired)]).await;
    assert!(!bob.connect().await);
}

#[tokio::test]
async fn closes_that_browsers_send_by_themselves_are_breaks() {
    for (code, reason) in [(1001, ""), (1005, ""), (1000, ""), (1000, "done"), (1001, "bye")] {
        let (world, zo, service) = start(Limits::default());
        let mut ann = Peer::connected(&service, "").await;
        ann.ping().await;
        ann.close(code, reason).await;
        zo.emitter().send(Tick(1)).to_room("lobby").unwrap();
        assert!(ann.connect().await, "{code} {reason}");
        assert_eq!(ann.next().await["payload"], 1);
        assert_eq!(world.departed(), []);
    }
}

#[tokio::test]
async fn every_other_close_of_the_client_ends_its_session() {
    for (code, reason) in [(1000, "bye"), (1002, ""), (3000, ""), (4000, "done")] {
        let (world, _, service) = start(Limits::default());
        let mut ann = Peer::connected(&service, "").await;
        ann.ping().await;
        ann.close(code, reason).await;
        world.until_departed(1).await;
        let departed = world.departed();
        assert_eq!(departed[0].1, Reason::ClosedByPeer(Close::new(code, reason)));
        assert!(!ann.connect().await, "{code} {reason}");
        assert_eq!(world.connected(), 2);
    }
}

#[tokio::test]
async fn a_break_before_the_token_is_proven_ends_the_session() {
    let (world, _, service) = start(Limits::default());
    let mut ann = Peer::new(&service, "");
    ann.acknowledges = false;
    for uncounted in [None, Some(json!({"type": "__pong"}))] {
        ann.token = None;
        assert!(!ann.connect().await);
        let before = world.departed().len();
        if let Some(frame) = uncounted {
            ann.write(&frame).await;
        }
        ann.cut();
        world.until_departed(before + 1).await;
        assert_eq!(world.departed()[before].1, Reason::Cut);
    }
    assert!(!ann.connect().await, "nobody is parked");
}

#[tokio::test]
async fn a_churn_of_connections_that_are_reset_parks_nothing() {
    let (world, zo, service) = start(Limits::default());
    for _ in 0..50 {
        let offers = "zocket.v1.json, zocket.resume";
        let (mut socket, _) = dial(&service, "", offers, &[], usize::MAX).await.unwrap();
        read(&mut socket).await.unwrap();
    }
    world.until_departed(50).await;
    until(|| zo.connections() == 0).await;
}

#[tokio::test]
async fn a_break_during_on_open_ends_the_session() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "name=waits").await;
    ann.call("add", json!(1), 1).await;
    ann.cut();
    zo.contexts().pop().unwrap().closed().await;
    world.open_gate();
    world.until_departed(1).await;
    assert_eq!(world.departed()[0].1, Reason::Cut);
    world.open_gate();
    assert!(!ann.connect().await);
}

#[tokio::test(start_paused = true)]
async fn a_parked_session_expires_after_its_window() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "name=ann").await;
    ann.ping().await;
    ann.cut();
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(world.departed(), []);
    assert_eq!(zo.emitter().size("lobby").await, 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.until_departed(1).await;
    assert_eq!(world.departed(), [("ann".to_owned(), Reason::Expired)]);
    assert_eq!(zo.emitter().size("lobby").await, 0);
    assert!(!ann.connect().await);
}

#[tokio::test(start_paused = true)]
async fn the_window_begins_anew_with_each_break() {
    let (world, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    for _ in 0..3 {
        ann.cut();
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(ann.connect().await);
        ann.ping().await;
    }
    assert_eq!(world.departed(), []);
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_dropped_and_its_session_parked() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    // The client reads nothing, and so answers no ping.
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(ann.closed().await, Broken::Gone, "without a Close");
    zo.emitter().send(Tick(1)).to_room("lobby").unwrap();
    assert!(ann.connect().await);
    assert_eq!(ann.next().await["payload"], 1);
    assert_eq!(world.departed(), []);
}

#[tokio::test]
async fn a_close_of_the_server_ends_the_session() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    zo.contexts().pop().unwrap().close(4001, "kicked");
    assert_eq!(ann.closed().await, Broken::Closed(4001, "kicked".to_owned()));
    ann.cut();
    world.until_departed(1).await;
    assert!(!ann.connect().await);
}

#[tokio::test]
async fn the_server_acknowledges_before_its_close() {
    let (_, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.call("add", json!(1), 1).await;
    assert_eq!(ann.next().await["rpcId"], 1);
    zo.contexts().pop().unwrap().close(4001, "kicked");
    let socket = ann.socket.as_mut().unwrap();
    assert_eq!(read(socket).await, Ok(json!({"type": "__ack", "payload": 1})));
    assert_eq!(read(socket).await, Err(Broken::Closed(4001, "kicked".to_owned())));
}

#[tokio::test]
async fn a_parked_client_that_is_kicked_departs() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    ann.close(1001, "").await;
    zo.contexts().pop().unwrap().close(4001, "kicked");
    world.until_departed(1).await;
    assert_eq!(
        world.departed()[0].1,
        Reason::ClosedByServer(Close::new(4001, "kicked"))
    );
    // Whoever comes with the token is told, and nobody else.
    let kicked = Err(Failed::Broken(Broken::Closed(4001, "kicked".to_owned())));
    for _ in 0..2 {
        assert_eq!(ann.try_connect(usize::MAX).await, kicked);
    }
    let token = ann.token.take().unwrap();
    ann.token = Some(token.chars().rev().collect());
    assert!(!ann.connect().await);
    assert_eq!(world.connected(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_close_of_a_parked_client_is_told_within_its_window() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.ping().await;
    ann.close(1001, "").await;
    zo.contexts().pop().unwrap().close(4001, "kicked");
    world.until_departed(1).await;
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert!(ann.try_connect(usize::MAX).await.is_err());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!ann.connect().await, "it is a new client by now");
}

#[tokio::test]
async fn a_shutdown_ends_parked_sessions_at_once() {
    let (world, zo, service) = start(Limits::default());
    let mut parked = Peer::connected(&service, "name=parked").await;
    parked.ping().await;
    parked.close(1001, "").await;
    let mut live = Peer::connected(&service, "name=live").await;
    live.ping().await;
    let began = std::time::Instant::now();
    let shutdown = tokio::spawn({
        let zo = zo.clone();
        async move { zo.shutdown(Shutdown::within(Duration::from_secs(60))).await }
    });
    assert_eq!(live.closed().await, Broken::Closed(1001, "going-away".to_owned()));
    live.cut();
    assert_eq!(shutdown.await.unwrap(), 0);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let departed = world.departed();
    assert!(departed.len() == 2 && departed.iter().all(|(_, reason)| *reason == Reason::Shutdown));
}

#[tokio::test]
async fn a_cut_during_a_shutdown_parks_nothing() {
    let (world, zo, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.call("gate", json!(null), 1).await;
    assert_eq!(ann.next().await["payload"], 0);
    let shutdown = tokio::spawn({
        let zo = zo.clone();
        async move { zo.shutdown(Duration::from_secs(60)).await }
    });
    ann.call("add", json!(1), 2).await;
    // The message is refused, so the app shuts down.
    while ann.next().await["type"] != "__rpc_err" {
        ann.call("add", json!(1), 2).await;
    }
    ann.cut();
    world.open_gate();
    assert_eq!(shutdown.await.unwrap(), 0);
    assert_eq!(world.departed().len(), 1);
}

#[tokio::test]
async fn a_cut_during_the_closing_handshake_ends_the_session() {
    let (world, _, service) = start(Limits::default());
    let mut ann = Peer::connected(&service, "").await;
    ann.call("gate", json!(null), 1).await;
    assert_eq!(ann.next().await["payload"], 0);
    // The Close waits for the handler before it is answered.
    let mut socket = ann.socket.take().unwrap();
    let close = tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: 1000.into(),
        reason: "bye".into(),
    };
    socket.close(Some(close)).await.unwrap();
    drop(socket);
    world.open_gate();
    world.until_departed(1).await;
    assert!(!ann.connect().await);
}
