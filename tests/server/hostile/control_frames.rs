//! Control frames and fragments: invalid ones, valid ones in unusual places, and floods.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use zocket::Limits;

use super::{
    answer, assert_connection_works,
    common::{
        PATIENCE,
        raw::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, frame},
    },
    site::Site,
};

#[tokio::test]
async fn invalid_control_frames_close_only_their_connection() {
    let site = Site::new().await;
    for bytes in [
        frame(PING, b"a"),
        frame(PONG, b"a"),
        frame(CLOSE, &[3, 232]),
        frame(FIN | PING, &[0; 126]),
        frame(FIN | PONG, &[0; 70_000]),
        frame(FIN | CLOSE, &[0]),
        frame(FIN | CLOSE, &[0, 0]),
    ] {
        let mut raw = site.server.raw().await;
        raw.write(&bytes).await;
        assert_eq!(raw.closed().await.0, 1002);
    }
    site.assert_unaffected().await;
}

#[tokio::test]
async fn valid_control_frames_are_accepted_between_fragments() {
    let (site, mut raw) = Site::with_attacker().await;
    for (first, payload) in [
        (PING, &b""[..]),
        (PONG, b""),
        (PONG, &[0; 125]),
        (PING, &[0xff; 125]),
    ] {
        raw.write(&frame(FIN | first, payload)).await;
        if first == PING {
            assert_eq!(raw.read_frame().await.unwrap(), (FIN | PONG, payload.to_vec()));
        }
    }
    // The control frames stand between a message's fragments, one of which is empty.
    raw.write(&frame(TEXT, br#"{"type":"here","#)).await;
    raw.write(&frame(FIN | PING, b"between")).await;
    raw.write(&frame(CONTINUATION, b"")).await;
    assert_eq!(raw.read_frame().await.unwrap(), (FIN | PONG, b"between".to_vec()));
    raw.write(&frame(FIN | CONTINUATION, br#""rpcId":1}"#)).await;
    assert_eq!(answer(&mut raw).await["payload"], "here");
    // Empty messages are malformed, but legal in RFC 6455.
    for first in [FIN | TEXT, FIN | BINARY, TEXT, FIN | CONTINUATION] {
        raw.write(&frame(first, b"")).await;
    }
    assert_connection_works(&mut raw).await;
    site.assert_unaffected_without(raw).await;
}

#[tokio::test]
async fn ten_thousand_empty_fragments_are_one_message() {
    let (site, mut raw) = Site::with_attacker().await;
    raw.write(&frame(TEXT, br#"{"type":"here","#)).await;
    raw.write(&frame(CONTINUATION, b"").repeat(10_000)).await;
    raw.write(&frame(FIN | CONTINUATION, br#""rpcId":1}"#)).await;
    assert_eq!(answer(&mut raw).await["payload"], "here");
    site.assert_unaffected_without(raw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_pings_does_not_delay_other_clients() {
    let mut site = Site::new().await;
    let mut raw = site.server.raw().await;
    let (pings, calls) = (frame(FIN | PING, &[0; 125]).repeat(1_000), 20);
    let (mut reading, mut writing) = raw.0.split();
    let flood = async {
        use tokio::io::AsyncWriteExt;
        for _ in 0..20 {
            writing.write_all(&pings).await.unwrap();
        }
        let last = frame(FIN | TEXT, br#"{"type":"here","rpcId":"last"}"#);
        writing.write_all(&last).await.unwrap();
    };
    // A peer that reads its pongs stays connected.
    let pongs = async {
        use tokio::io::AsyncReadExt;
        let mut seen = Vec::new();
        while !seen.ends_with(br#""last"}"#) {
            assert!(reading.read_buf(&mut seen).await.unwrap() > 0);
        }
    };
    let others = async {
        for _ in 0..calls {
            assert_eq!(
                site.bystander.call("here", Value::Null).await,
                Ok(Some(json!("here")))
            );
        }
    };
    timeout(PATIENCE, async { tokio::join!(flood, pongs, others) })
        .await
        .expect("the flood never ends");
    site.assert_unaffected_without(raw).await;
}

#[tokio::test]
async fn unread_pongs_do_not_accumulate() {
    let limits = Limits::default()
        .message(10_000)
        .outbound(100_000)
        .close_within(Duration::from_millis(200));
    let site = Site::with(limits).await;
    let mut raw = site.server.raw().await;
    let pings = frame(FIN | PING, &[0; 125]).repeat(1_000);
    // 64 MiB exceed both sides' socket buffers. The server either stops reading or closes the connection.
    let flood = async {
        for _ in 0..500 {
            if raw.try_write(&pings).await.is_err() {
                return;
            }
        }
        panic!("the server has taken 64 MiB of pings, and their pongs are nowhere but in its memory");
    };
    flood.await;
    site.assert_unaffected().await;
}
