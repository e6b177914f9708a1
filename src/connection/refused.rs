//! The WebSocket of a refused handshake. It is opened only to tell the refusal.

use hyper::upgrade::OnUpgrade;
use zocket_layers::{Close, DataFrame, Limits};

use super::{session::outbound::Outbound, websocket::WebSocket};

/// Bytes that a message of the peer may have: none of it is used. Control frames have at most 125 (RFC 6455, section 5.5).
const MAX_READ: usize = 125;

/// Waits until the handshake has been answered, writes the frame and the Close, and reads until the peer has closed. Its
/// messages are discarded. The caller bounds the time.
pub(crate) async fn tell_refusal(upgrade: OnUpgrade, frame: DataFrame, close: Close) {
    let Ok(upgraded) = upgrade.await else {
        return;
    };
    let mut socket = WebSocket::new(upgraded, &Limits::default().message(MAX_READ));
    let mut outbound = Outbound::default();
    outbound.push(frame);
    socket.close(&mut outbound, close).await;
}
