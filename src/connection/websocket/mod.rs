//! The WebSocket of a connection: framing, reading ahead, writing.

mod stream;
mod write;

use std::{
    borrow::Cow,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{
    self, Message, Utf8Bytes,
    error::{CapacityError, ProtocolError},
    protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext, frame::coding::CloseCode},
};
use zocket_layers::{Close, Limits};

use self::{stream::Stream, write::poll_write_some};
use super::session::outbound::{FRAME_WEIGHT, Outbound};
use crate::core::closes::{INVALID_UTF_8, MESSAGE_TOO_LARGE, PROTOCOL_ERROR};

/// Size of tungstenite's read buffer, in bytes. tungstenite allocates it for every connection, so it is small.
/// [`Stream`] reads more at a time.
const READ_BUFFER: usize = 512;
/// Size from which tungstenite writes buffered control frames without a flush, in bytes.
const CONTROL_BUFFER: usize = 1 << 10;
/// The code of a Close frame without one (RFC 6455, section 7.1.5). It is never sent.
const NO_STATUS: Close = Close {
    code: 1005,
    reason: Cow::Borrowed(""),
};
/// Limit for the bytes of a close reason: 125 for the payload of a control frame (RFC 6455, section 5.5), less 2 for
/// the code.
const MAX_REASON: usize = 123;

/// The WebSocket of a connection. It owns the two writers on one stream. tungstenite reads, and writes control frames.
/// Data frames are written from the session's queue without tungstenite, so that frames that many receivers share are
/// not copied for each. Neither writer begins while the other has written only part of a frame.
pub(super) struct WebSocket {
    stream: Stream,
    protocol: WebSocketContext,
    /// True if a ping has to be written.
    ping: bool,
    /// True if tungstenite may have something to write.
    control: bool,
    /// Bytes of the pongs that tungstenite has not flushed, each counted with [`FRAME_WEIGHT`] more.
    pongs: usize,
    /// True if something was written since the last flush.
    unflushed: bool,
    /// True if nothing more can be read.
    ended: bool,
}

/// A message or frame that was read.
pub(super) enum Received {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping or a pong. It shows that the peer is alive.
    Control,
    /// The peer's Close frame. tungstenite has queued the answer.
    Closed(Close),
}

/// The reason why nothing more can be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The peer violated the protocol. The server answers with this Close.
    Violation(Close),
    /// The peer is gone.
    Gone,
}

impl WebSocket {
    pub(super) fn new(upgraded: Upgraded, limits: &Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(CONTROL_BUFFER)
            .max_write_buffer_size(usize::MAX)
            .max_message_size(Some(limits.message))
            .max_frame_size(Some(limits.message));
        Self {
            stream: Stream::new(upgraded),
            protocol: WebSocketContext::new(Role::Server, Some(config)),
            ping: false,
            control: false,
            pongs: 0,
            unflushed: false,
            ended: false,
        }
    }

    /// Queues a ping. It is written before the data frames that have not begun.
    pub(super) const fn ping(&mut self) {
        self.ping = true;
    }

    /// Returns the bytes of pongs that wait to be written, each counted with [`FRAME_WEIGHT`] more. A peer causes them
    /// by its pings, so they are bounded together with the data frames.
    pub(super) const fn control_bytes(&self) -> usize {
        self.pongs
    }

    /// Frees the memory that an idle connection does not need.
    pub(super) fn shrink(&mut self) {
        self.stream.shrink();
    }

    /// Writes the queued frames, as far as the peer accepts them. Ready when all have been written and flushed.
    pub(super) fn poll_write(
        &mut self,
        outbound: &mut Outbound,
        cx: &mut Task<'_>,
    ) -> Poll<Result<(), tungstenite::Error>> {
        loop {
            let control = self.ping || self.control;
            if control && !outbound.is_midway() {
                ready!(self.poll_write_control(cx))?;
            } else if !outbound.is_empty() {
                // Control frames wait for the rest of the piece that has begun, and for no other.
                let pieces = if control { 1 } else { usize::MAX };
                ready!(poll_write_some(outbound, pieces, &mut self.stream.io, cx))?;
                self.unflushed = true;
            } else if self.unflushed {
                ready!(Pin::new(&mut self.stream.io).poll_flush(cx))?;
                self.unflushed = false;
            } else {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Writes tungstenite's control frames. Ready when all have been written and flushed.
    fn poll_write_control(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), tungstenite::Error>> {
        let stream = &mut self.stream.polled(cx, true);
        if std::mem::take(&mut self.ping) {
            self.control = true;
            let _ = or_pending(self.protocol.write(stream, Message::Ping(Bytes::new())))?;
        }
        ready!(or_pending(self.protocol.flush(stream)))?;
        self.control = false;
        self.pongs = 0;
        Poll::Ready(Ok(()))
    }

    /// Reads the next message. While a data frame of `outbound` is written only in part, tungstenite writes nothing.
    pub(super) fn poll_read(
        &mut self,
        outbound: &Outbound,
        cx: &mut Task<'_>,
    ) -> Poll<Result<Received, ReadError>> {
        if self.ended {
            return Poll::Ready(Err(ReadError::Gone));
        }
        let may_write = !outbound.is_midway();
        let read = self.protocol.read(&mut self.stream.polled(cx, may_write));
        let received = match read {
            Ok(Message::Text(text)) => Ok(Received::Text(text)),
            Ok(Message::Binary(bytes)) => Ok(Received::Binary(bytes)),
            Ok(Message::Close(frame)) => {
                self.control = true;
                Ok(Received::Closed(frame.map_or(NO_STATUS, |frame| {
                    Close::new(frame.code.into(), frame.reason.to_string())
                })))
            }
            Ok(Message::Ping(payload)) => {
                // tungstenite queues a pong in a buffer without a bound, so its bytes are counted here.
                self.pongs += payload.len() + FRAME_WEIGHT;
                self.control = true;
                Ok(Received::Control)
            }
            Ok(Message::Pong(_) | Message::Frame(_)) => Ok(Received::Control),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return Poll::Pending;
            }
            Err(error) => {
                self.ended = true;
                Err(ReadError::of(&error))
            }
        };
        Poll::Ready(received)
    }

    /// Writes the queued frames, then a Close frame, and reads until the peer has answered it and shut down its side.
    pub(super) async fn close(&mut self, outbound: &mut Outbound, close: Close) {
        let reason = cut(&close.reason, MAX_REASON).to_owned();
        let code = CloseCode::from(close.code);
        // Some codes must not be sent (RFC 6455, section 7.4).
        let code = if code.is_allowed() { code } else { CloseCode::Error };
        let mut frame = Some(CloseFrame {
            code,
            reason: reason.into(),
        });
        let said = poll_fn(|cx| {
            ready!(self.poll_write(outbound, cx))?;
            let stream = &mut self.stream.polled(cx, true);
            or_pending(match frame.take() {
                Some(frame) => self.protocol.close(stream, Some(frame)),
                None => self.protocol.flush(stream),
            })
        });
        if said.await.is_err() {
            return;
        }
        while let Ok(Received::Text(_) | Received::Binary(_) | Received::Control) =
            poll_fn(|cx| self.poll_read(outbound, cx)).await
        {}
        self.drain().await;
    }

    /// Answers the peer's Close. Queued frames that have not begun are dropped.
    pub(super) async fn answer_close(&mut self, outbound: &mut Outbound) {
        outbound.forget();
        // The connection ends either way, so an error is ignored.
        let _ = poll_fn(|cx| self.poll_write(outbound, cx)).await;
    }

    /// Shuts down the writing side, and reads until the peer does so too. If the socket were closed with bytes unread,
    /// TCP would reset the connection, and the peer might never see the Close frame.
    async fn drain(&mut self) {
        if self.stream.io.shutdown().await.is_err() {
            return;
        }
        let mut scratch = [0; 1024];
        while self.stream.io.read(&mut scratch).await.is_ok_and(|read| read > 0) {}
    }
}

/// Converts tungstenite's `WouldBlock` to pending, and its error for the end of a closing handshake to success.
fn or_pending(result: Result<(), tungstenite::Error>) -> Poll<Result<(), tungstenite::Error>> {
    match result {
        Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        Err(tungstenite::Error::ConnectionClosed) => Poll::Ready(Ok(())),
        result => Poll::Ready(result),
    }
}

impl ReadError {
    /// Converts an error of tungstenite to a Close with a code of RFC 6455, section 7.4.1. tungstenite sends no Close
    /// by itself.
    fn of(error: &tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                Self::Violation(MESSAGE_TOO_LARGE)
            }
            tungstenite::Error::Utf8(_) => Self::Violation(INVALID_UTF_8),
            tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Gone,
            tungstenite::Error::Protocol(_) => Self::Violation(PROTOCOL_ERROR),
            _ => Self::Gone,
        }
    }
}

/// Returns the longest prefix of a text with at most `bytes` bytes.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
