//! One attempt to connect.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderValue;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message},
};
use zocket_layers::Codec;

use super::{
    SimClient,
    frame::{self, Frame},
};
use crate::{
    client::dial::request,
    testing::{
        link::Link,
        record::Welcome,
        sim::{failure::Failure, world::World},
    },
};

/// The WebSocket over a link.
pub(super) type Socket = WebSocketStream<Link>;

/// Time that a handshake may take, the welcome included.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// An attempt to connect that has failed.
pub(super) enum NotConnected {
    /// The app has refused the handshake.
    Refused(u16),
    /// The app has sent a Close before a welcome.
    Closed(u16),
    Broken,
}

/// Connects over a link, and waits for the welcome.
pub(super) async fn connect(
    client: &SimClient,
    world: &World,
    link: &Link,
) -> Result<Result<(Socket, Welcome), NotConnected>, Failure> {
    let invalid = |error: &dyn std::fmt::Display| Failure::other(format!("the handshake: {error}"));
    let headers = world.headers(client.index)?;
    let codec = Codec::Json.subprotocol();
    let mut request = request(world.url(), headers, codec).map_err(|error| invalid(&error))?;
    let offer = client.shared.session.lock().offer(Instant::now());
    let offer = HeaderValue::try_from(offer).map_err(|error| invalid(&error))?;
    request.headers_mut().insert("sec-websocket-protocol", offer);
    let connecting = async {
        let (mut socket, _) = match client_async(request, link.clone()).await {
            Ok(connected) => connected,
            Err(tungstenite::Error::Http(response)) => {
                return Ok(Err(NotConnected::Refused(response.status().as_u16())));
            }
            Err(tungstenite::Error::Protocol(error)) if !link.was_disturbed() => {
                return Err(invalid(&error));
            }
            Err(_) => return Ok(Err(NotConnected::Broken)),
        };
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let text = Bytes::from(text);
                    world.trace(client.index, 0, text.len());
                    return match frame::read(&text)? {
                        Frame::Welcome(welcome) => Ok(Ok((socket, *welcome))),
                        other => Err(Failure::other(format!("expected a welcome first, got {other:?}"))),
                    };
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(close))) => {
                    let code = close.map_or(1005, |close| close.code.into());
                    return Ok(Err(NotConnected::Closed(code)));
                }
                _ => return Ok(Err(NotConnected::Broken)),
            }
        }
    };
    let connected = timeout(CONNECT_WITHIN, Box::pin(connecting)).await;
    let connected = connected.unwrap_or(Ok(Err(NotConnected::Broken)));
    if matches!(connected, Ok(Err(_))) {
        link.cut();
    }
    connected
}
