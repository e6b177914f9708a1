//! Peers that send slowly or endlessly, and peers that call faster than they read.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;
use zocket::Limits;

use super::{
    answer,
    common::{
        PATIENCE,
        raw::{FIN, TEXT, frame, handshake, head},
    },
    site::Site,
};

#[tokio::test]
async fn a_peer_that_sends_single_bytes_is_served_without_delaying_others() {
    let mut site = Site::new().await;
    let mut raw = site.server.dial().await;
    raw.0.set_nodelay(true).unwrap();
    for byte in handshake("").bytes() {
        raw.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(raw.read_http().await.starts_with("HTTP/1.1 101 "));
    for byte in frame(FIN | TEXT, br#"{"type":"here","rpcId":"slow"}"#) {
        raw.write(&[byte]).await;
        assert!(site.bystander.call("here", Value::Null).await.is_ok());
    }
    assert_eq!(answer(&mut raw).await["rpcId"], "slow");
    site.assert_unaffected_without(raw).await;
}

#[tokio::test]
async fn a_slow_upload_lives_as_long_as_its_bytes_arrive() {
    let limits = Limits::default()
        .ping_after(Duration::from_millis(100))
        .pong_within(Duration::from_millis(100));
    let site = Site::with(limits).await;
    let mut raw = site.server.raw().await;
    // While it sends a frame, a peer can't answer pings.
    let message = frame(FIN | TEXT, br#"{"type":"here","rpcId":"slow"}"#);
    let begun = Instant::now();
    for byte in &message {
        raw.write(&[*byte]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        begun.elapsed() > Duration::from_millis(500),
        "slower than the heartbeat"
    );
    while raw.read_frame().await.expect("it was given up").0 != FIN | TEXT {}

    // Once they stop, it is silent.
    raw.write(&head(FIN | TEXT, 1_000_000)).await;
    raw.write(b"x").await;
    raw.hung_up().await;
    site.assert_no_client_is_left().await;
}

#[tokio::test]
async fn a_peer_that_reads_may_call_as_fast_as_it_can_write() {
    let site = Site::new().await;
    let client = site.server.connect("").await;
    let (mut writing, mut reading) = client.socket.split();
    let calls = async {
        for id in 0..300 {
            let call = json!({ "type": "big", "rpcId": id }).to_string();
            writing.feed(tungstenite::Message::text(call)).await.unwrap();
        }
        writing.flush().await.unwrap();
    };
    // 30 MB of answers far exceed `Limits::outbound`, but the peer reads each at once.
    let answers = async {
        for id in 0..300 {
            match reading.next().await {
                Some(Ok(tungstenite::Message::Text(text))) => {
                    assert!(text.ends_with(&format!("\"rpcId\":{id}}}")), "{id}: {text:.100}");
                }
                other => panic!("{id}: {other:?}"),
            }
        }
    };
    timeout(PATIENCE, async { tokio::join!(calls, answers) })
        .await
        .expect("not all is answered");
    // The server does not treat it as a slow reader.
    let last = json!({ "type": "here", "rpcId": "last" }).to_string();
    writing.send(tungstenite::Message::text(last)).await.unwrap();
    let answer = timeout(PATIENCE, reading.next()).await.expect("no answer");
    assert!(
        matches!(&answer, Some(Ok(tungstenite::Message::Text(text))) if text.contains("here")),
        "{answer:?}"
    );
    drop((writing, reading));
    site.assert_unaffected().await;
}

#[tokio::test]
async fn a_peer_that_calls_and_does_not_read_is_closed() {
    let limits = Limits::default()
        .outbound(1 << 20)
        .stall(Duration::from_millis(300))
        .close_within(Duration::from_millis(200));
    let site = Site::with(limits).await;
    let mut raw = site.server.raw().await;
    for id in 0..500 {
        let call = format!(r#"{{"type":"big","rpcId":{id}}}"#);
        if raw.try_write(&frame(FIN | TEXT, call.as_bytes())).await.is_err() {
            break;
        }
    }
    site.wait_until_only_bystander_is_left().await;
    site.assert_unaffected().await;
}
