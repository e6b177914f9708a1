//! The WebSocket of a connection: framing, reading ahead, writing.

mod stream;
mod write;

use std::{
    borrow::Cow,
    future::poll_fn,
    io, mem,
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
use super::{
    budget::poll_without_budget,
    session::outbound::{FRAME_WEIGHT, Outbound},
};
use crate::core::closes::{INVALID_UTF_8, MESSAGE_TOO_LARGE, PROTOCOL_ERROR};

/// Size of tungstenite's read buffer, in bytes. tungstenite allocates it for every connection, so it is small.
/// [`Stream`] reads more at a time.
const READ_BUFFER: usize = 512;
/// Size from which tungstenite writes buffered control frames without a flush, in bytes. Each is written at once: it is
/// buffered in [`WebSocket`].
const CONTROL_BUFFER: usize = 0;
/// The code of a Close frame without one (RFC 6455, section 7.1.5). It is never sent.
const NO_STATUS: Close = Close {
    code: 1005,
    reason: Cow::Borrowed(""),
};
/// Limit for the bytes of a close reason: 125 for the payload of a control frame (RFC 6455, section 5.5), less 2 for
/// the code.
const MAX_REASON: usize = 123;

/// The WebSocket of a connection. tungstenite reads, and writes control frames into a buffer. Data frames are written
/// from the session's queue without tungstenite, so that frames that many receivers share are not copied for each.
/// Neither buffer nor queue is written while a frame of the other has been written only in part.
pub(super) struct WebSocket {
    stream: Stream,
    protocol: WebSocketContext,
    /// Control frames that tungstenite has written, and the stream has not.
    control: Vec<u8>,
    /// The answer to the peer's Close. It is held back, so that messages before the Close can be answered first. Empty
    /// before the peer's Close, and after the answer was released.
    close_answer: Vec<u8>,
    /// Weight of the pongs in `control`, each counted with [`FRAME_WEIGHT`] more.
    pongs: usize,
    /// True if something was written since the last flush.
    unflushed: bool,
    /// True if the stream accepted bytes since the last call of [`take_progress`](Self::take_progress).
    has_progressed: bool,
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
    /// The peer's Close frame. [`WebSocket::answer_close`] answers it.
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
            control: Vec::new(),
            close_answer: Vec::new(),
            pongs: 0,
            unflushed: false,
            has_progressed: false,
            ended: false,
        }
    }

    /// Queues a ping. It is written before the data frames that have not begun.
    pub(super) fn ping(&mut self) {
        // A buffer accepts everything, so the only error is that the peer has sent its Close.
        let _ = self
            .protocol
            .write(&mut Buffered(&mut self.control), Message::Ping(Bytes::new()));
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

    /// Writes the queued frames, as far as the socket accepts them. Ready when all have been written and flushed. Writes
    /// have no budget, because a peer whose socket accepts more is no slow reader.
    pub(super) fn poll_write(&mut self, outbound: &mut Outbound, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        if self.control.is_empty() && outbound.is_empty() && !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        poll_without_budget(cx, |cx| self.poll_write_all(outbound, cx))
    }

    fn poll_write_all(&mut self, outbound: &mut Outbound, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        loop {
            let control = !self.control.is_empty();
            if control && !outbound.is_midway() {
                let written = ready!(Pin::new(&mut self.stream.io).poll_write(cx, &self.control))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.control.drain(..written);
                if self.control.is_empty() {
                    (self.control, self.pongs) = (Vec::new(), 0);
                }
            } else if !outbound.is_empty() {
                // Control frames wait for the rest of the piece that has begun, and for no other.
                let pieces = if control { 1 } else { usize::MAX };
                ready!(poll_write_some(outbound, pieces, &mut self.stream.io, cx))?;
            } else if self.unflushed {
                ready!(Pin::new(&mut self.stream.io).poll_flush(cx))?;
                self.unflushed = false;
                continue;
            } else {
                return Poll::Ready(Ok(()));
            }
            self.unflushed = true;
            self.has_progressed = true;
        }
    }

    /// Returns true if bytes have arrived since the last call. The peer is alive, even if they are no whole message.
    pub(super) const fn take_received(&mut self) -> bool {
        mem::replace(&mut self.stream.has_received, false)
    }

    /// Returns true if the stream accepted bytes since the last call.
    pub(super) const fn take_progress(&mut self) -> bool {
        mem::replace(&mut self.has_progressed, false)
    }

    /// Reads the next message.
    pub(super) fn poll_read(&mut self, cx: &mut Task<'_>) -> Poll<Result<Received, ReadError>> {
        if self.ended {
            return Poll::Ready(Err(ReadError::Gone));
        }
        let read = self.protocol.read(&mut self.stream.polled(cx, &mut self.control));
        let received = match read {
            Ok(Message::Text(text)) => Ok(Received::Text(text)),
            Ok(Message::Binary(bytes)) => Ok(Received::Binary(bytes)),
            Ok(Message::Close(frame)) => {
                // tungstenite ends its connection by an error once the answer is written.
                let _ = self.protocol.flush(&mut Buffered(&mut self.close_answer));
                Ok(Received::Closed(frame.map_or(NO_STATUS, |frame| {
                    Close::new(frame.code.into(), frame.reason.to_string())
                })))
            }
            Ok(Message::Ping(payload)) => {
                // The buffer of pongs has no bound, so its bytes are counted here.
                self.pongs += payload.len() + FRAME_WEIGHT;
                let _ = self.protocol.flush(&mut Buffered(&mut self.control));
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
    /// If the peer has sent its Close, answers that instead.
    pub(super) async fn close(&mut self, outbound: &mut Outbound, close: Close) {
        let reason = cut(&close.reason, MAX_REASON).to_owned();
        let code = CloseCode::from(close.code);
        // Some codes must not be sent (RFC 6455, section 7.4).
        let code = if code.is_allowed() { code } else { CloseCode::Error };
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        if poll_fn(|cx| self.poll_write(outbound, cx)).await.is_err() {
            return;
        }
        if self.close_answer.is_empty() {
            let _ = self.protocol.close(&mut Buffered(&mut self.control), Some(frame));
        }
        self.control.append(&mut self.close_answer);
        if poll_fn(|cx| self.poll_write(outbound, cx)).await.is_err() {
            return;
        }
        while let Ok(Received::Text(_) | Received::Binary(_) | Received::Control) =
            poll_fn(|cx| self.poll_read(cx)).await
        {}
        self.drain().await;
    }

    /// Answers the peer's Close. Queued frames that have not begun are dropped.
    pub(super) async fn answer_close(&mut self, outbound: &mut Outbound) {
        outbound.forget();
        self.control.append(&mut self.close_answer);
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

/// A stream that is only written to, into a buffer.
struct Buffered<'a>(&'a mut Vec<u8>);

impl io::Read for Buffered<'_> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl io::Write for Buffered<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
