//! Peers that stop in the middle of the handshake or of a later frame.

use std::time::Duration;

use futures_util::future::join_all;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use zocket::Limits;

use super::{
    common::{
        raw::{CLOSE, FIN, Raw, TEXT, frame, handshake},
        until,
    },
    send,
    site::Site,
};

#[tokio::test]
async fn an_unfinished_handshake_times_out() {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(1));
    let site = Site::served(Limits::default(), http).await;
    let whole = handshake("");
    let mut halves = Vec::new();
    for length in [0, 1, 10, whole.len() / 2, whole.len() - 2] {
        let mut raw = site.server.dial().await;
        raw.write(&whole.as_bytes()[..length]).await;
        halves.push(raw);
    }
    join_all(halves.iter_mut().map(Raw::hung_up)).await;
    assert_eq!(site.zo.connections(), 1);
    site.assert_unaffected().await;
}

#[tokio::test]
async fn a_handshake_that_never_sends_its_announced_body_times_out() {
    let limits = Limits::default()
        .ping_after(Duration::from_millis(100))
        .pong_within(Duration::from_millis(100));
    let site = Site::with(limits).await;
    let mut open = Vec::new();
    for fields in ["Content-Length: 10\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut raw = site.server.dial().await;
        raw.write(handshake(fields).as_bytes()).await;
        open.push(raw);
    }
    for raw in &mut open {
        raw.hung_up().await;
    }
    site.assert_no_client_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_opened_and_dropped_at_once_leave_nothing() {
    let site = Site::new().await;
    let server = &site.server;
    // Waves keep the number of open descriptors low.
    for _ in 0..4 {
        let wave = join_all((0..250).map(|n| async move {
            match n % 5 {
                // The peer vanishes after the 101, without a Close.
                0 | 1 => server.raw().await,
                // The peer vanishes in the middle of the handshake.
                2 => {
                    let mut raw = server.dial().await;
                    raw.write(&handshake("").as_bytes()[..40]).await;
                    raw
                }
                // The peer vanishes before it reads the 101.
                3 => {
                    let mut raw = server.dial().await;
                    raw.write(handshake("").as_bytes()).await;
                    raw
                }
                // The peer vanishes in the middle of a message, and while its handler waits.
                _ => {
                    let mut raw = server.raw().await;
                    send(&mut raw, r#"{"type":"join","payload":{"room":"room"}}"#).await;
                    send(&mut raw, r#"{"type":"panic.late"}"#).await;
                    raw.write(&frame(FIN | TEXT, br#"{"type":"here"}"#)[..9]).await;
                    raw
                }
            }
        }))
        .await;
        drop(wave);
    }
    // The server may not have accepted the last connections yet.
    until(|| site.counts.connected() > 600).await;
    site.wait_until_only_bystander_is_left().await;
    site.assert_unaffected().await;
}

#[tokio::test]
async fn a_peer_that_closes_only_its_sending_half_is_disconnected() {
    use tokio::io::AsyncWriteExt;
    let (site, mut raw) = Site::with_attacker().await;
    raw.0.shutdown().await.unwrap();
    raw.hung_up().await;
    site.wait_until_only_bystander_is_left().await;
    site.assert_unaffected().await;
}

#[tokio::test]
async fn a_peer_that_vanishes_at_any_point_is_disconnected() {
    let site = Site::new().await;
    let call = frame(FIN | TEXT, br#"{"type":"here","rpcId":1}"#);
    let fragment = frame(TEXT, b"{");
    let close = frame(FIN | CLOSE, &[3, 232]);
    for bytes in [
        &call[..1],
        &call[..3],
        &call[..call.len() - 1],
        &fragment,
        &close,
        &close[..3],
    ] {
        let mut raw = site.server.raw().await;
        raw.write(bytes).await;
    }
    until(|| site.counts.connected() == 7).await;
    site.wait_until_only_bystander_is_left().await;
    site.assert_unaffected().await;
}
