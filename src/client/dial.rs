//! One attempt to connect.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderValue, Response};
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        error::{ProtocolError, UrlError},
        handshake::client::Request,
        protocol::WebSocketConfig,
    },
};
use url::Url;
use zocket_layers::{
    Issue,
    http::{code_of, wait_of},
};

use super::{
    BuildError, Outage, ServerRefusal, Welcome,
    config::Config,
    headers::Headers,
    server_refusal::Data,
    session::Session,
    wire::{self, ServerFrame},
};

/// Upper limit of the server's `Retry-After`: one day.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Offers of a client that keeps within the welcome's `limits.calls`.
const CODEC_AND_FLOW: &str = "zocket.v1.json, zocket.flow";

/// The WebSocket over TCP or TLS.
pub(super) type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects, and returns after the welcome was received. Offers to resume the session.
pub(super) async fn dial(config: &Config, session: &mut Session) -> Result<(Stream, Welcome), Outage> {
    let attempt = Box::pin(async {
        let headers = session.parked_during(config.headers.get()).await?;
        let offers = match session.offer() {
            Some(resume) => format!("{CODEC_AND_FLOW}, {resume}"),
            None => CODEC_AND_FLOW.to_owned(),
        };
        let request = request(config.url.clone(), headers, &offers)?;
        let limits = WebSocketConfig::default()
            .max_message_size(Some(config.max_message))
            .max_frame_size(Some(config.max_message));
        let mut stream = open(request, limits, config).await.map_err(handshake_error)?;
        let welcome = welcome(&mut stream).await?;
        Ok((stream, welcome))
    });
    timeout(config.connect_timeout, attempt)
        .await
        .unwrap_or(Err(Outage::Timeout))
}

#[cfg(feature = "client-rustls")]
async fn open(
    request: Request,
    limits: WebSocketConfig,
    config: &Config,
) -> Result<Stream, tungstenite::Error> {
    use tokio_tungstenite::{Connector, connect_async_tls_with_config};
    let tls = config.tls.clone().map(Connector::Rustls);
    let (stream, _) = connect_async_tls_with_config(request, Some(limits), true, tls).await?;
    Ok(stream)
}

#[cfg(not(feature = "client-rustls"))]
async fn open(request: Request, limits: WebSocketConfig, _: &Config) -> Result<Stream, tungstenite::Error> {
    let (stream, _) = tokio_tungstenite::connect_async_with_config(request, Some(limits), true).await?;
    Ok(stream)
}

/// Builds the handshake's request, which offers these subprotocols.
pub(crate) fn request(mut url: Url, headers: Headers, offers: &str) -> Result<Request, Outage> {
    if !headers.query.is_empty() {
        url.query_pairs_mut().extend_pairs(headers.query);
    }
    let url_error = |error: tungstenite::Error| BuildError::Url(error.to_string());
    let mut request = url.as_str().into_client_request().map_err(url_error)?;
    let fields = request.headers_mut();
    fields.extend(headers.fields);
    let invalid = |error: http::header::InvalidHeaderValue| Outage::Broken(Arc::new(error));
    let mut offers = HeaderValue::try_from(offers).map_err(invalid)?;
    // It may hold the token of a session.
    offers.set_sensitive(true);
    fields.insert("sec-websocket-protocol", offers);
    fields.insert(
        "x-zocket-version",
        HeaderValue::from_static(env!("CARGO_PKG_VERSION")),
    );
    Ok(request)
}

/// Waits for the server's first message, which must be a welcome.
pub(crate) async fn welcome<T>(stream: &mut WebSocketStream<T>) -> Result<Welcome, Outage>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let frame = match read(stream.next().await)? {
            Received::Data(frame) => frame,
            Received::Control => continue,
        };
        let welcome = match wire::read(&frame) {
            Ok(ServerFrame::Welcome(payload)) => serde_json::from_slice(&payload).ok(),
            _ => None,
        };
        return welcome.ok_or_else(|| {
            Outage::Incompatible("expected a welcome as its first message, got something else".to_owned())
        });
    }
}

/// A received WebSocket message.
pub(crate) enum Received {
    /// A text or binary message.
    Data(Bytes),
    /// A ping or a pong.
    Control,
}

/// Converts an item of tungstenite's stream. Returns an error when no further message will arrive.
pub(crate) fn read(next: Option<Result<Message, tungstenite::Error>>) -> Result<Received, Outage> {
    match next {
        Some(Ok(Message::Text(text))) => Ok(Received::Data(text.into())),
        Some(Ok(Message::Binary(bytes))) => Ok(Received::Data(bytes)),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Received::Control),
        Some(Ok(Message::Close(Some(close)))) => Err(Outage::Closed {
            code: close.code.into(),
            reason: close.reason.to_string(),
        }),
        Some(Ok(Message::Close(None))) => Err(Outage::Closed {
            code: 1005,
            reason: String::new(),
        }),
        Some(Err(error)) => Err(Outage::Broken(Arc::new(error))),
        None => Err(Outage::Broken(Arc::new(tungstenite::Error::ConnectionClosed))),
    }
}

/// Converts the error of a failed handshake.
pub(crate) fn handshake_error(error: tungstenite::Error) -> Outage {
    use tungstenite::Error::{Http, Protocol, Url};
    match error {
        Http(response) => refused_handshake(&response),
        Protocol(error @ ProtocolError::SecWebSocketSubProtocolError(_)) => {
            Outage::Incompatible(error.to_string())
        }
        Url(UrlError::UnableToConnect(what)) => {
            Outage::Broken(Arc::new(Url(UrlError::UnableToConnect(what))))
        }
        Url(error) => Outage::Build(BuildError::Url(error.to_string())),
        error => Outage::Broken(Arc::new(error)),
    }
}

/// Converts the HTTP response that the server sent instead of completing the handshake.
fn refused_handshake(response: &Response<Option<Vec<u8>>>) -> Outage {
    #[derive(Deserialize)]
    struct Body {
        error: String,
        code: Option<String>,
        #[serde(default)]
        details: Vec<Issue>,
        #[serde(default, deserialize_with = "Data::present")]
        data: Option<Data>,
    }
    let status = response.status();
    let code = code_of(status).as_str();
    let body = response.body().as_deref().unwrap_or_default();
    let mut refusal = match serde_json::from_slice::<Body>(body) {
        Ok(body) => ServerRefusal {
            issues: body.details,
            data: body.data,
            ..ServerRefusal::new(body.code.unwrap_or_else(|| code.to_owned()), body.error)
        },
        Err(_) if body.is_empty() => ServerRefusal::new(code, status.to_string()),
        Err(_) => ServerRefusal::new(code, String::from_utf8_lossy(body)),
    };
    refusal.retry_after = wait_of(response.headers()).map(|wait| wait.min(LONGEST_WAIT));
    Outage::Refused {
        status: status.as_u16(),
        refusal: Box::new(refusal),
    }
}
