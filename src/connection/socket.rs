//! The WebSocket, and what waits to be written to it.

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

use super::{
    gauge::{self, Part},
    outbound::{FRAME_WEIGHT, Outbound},
    stream::Stream,
};

/// The library allocates it for every connection; [`Stream`] reads more at a time.
const READ_BUFFER: usize = 512;
/// Control frames gather in the library up to so many bytes until they are flushed.
const CONTROL_BUFFER: usize = 1 << 10;
/// RFC 6455, section 5.5: a control frame's payload, less the code.
const MAX_REASON: usize = 123;

/// The WebSocket, and what waits to be written to it.
///
/// The library reads, and writes control frames. Data frames go past it: what many receivers share is not copied for
/// each of them. Neither begins to write while the other is in the midst of a frame.
pub(super) struct Socket {
    stream: Stream,
    protocol: WebSocketContext,
    outbound: Outbound,
    ping: bool,
    /// The library may have something to write.
    control: bool,
    /// What the library's answers to pings weigh that have not been flushed.
    pongs: usize,
    /// Something was written since the last flush.
    unflushed: bool,
    /// Nothing more can be read.
    ended: bool,
    gauge: Part<gauge::Outbound>,
}

/// What came in.
pub(super) enum Received {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping or a pong: a sign of life.
    Control,
    /// The peer closes. The library has answered it.
    Closed,
}

/// Why nothing more can come in.
#[derive(Debug)]
pub(super) enum Broken {
    /// The peer broke the protocol, and is to be told how.
    Violation(Close),
    /// It is gone.
    Gone,
}

impl Socket {
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
            outbound: Outbound::default(),
            ping: false,
            control: false,
            pongs: 0,
            unflushed: false,
            ended: false,
            gauge: Part::new(),
        }
    }

    /// Where what is to be written is queued.
    pub(super) fn outbound(&mut self) -> &mut Outbound {
        &mut self.outbound
    }

    /// Queues a ping, ahead of what waits.
    pub(super) fn ping(&mut self) {
        self.ping = true;
    }

    /// Bytes that wait to be written.
    pub(super) fn weight(&self) -> usize {
        self.outbound.weight() + self.pongs
    }

    /// There is nothing to do for now: tells the gauge how much waits, and gives back what is not needed to wait.
    pub(super) fn rest(&mut self) {
        self.gauge.tell(self.weight());
        self.outbound.shrink();
        self.stream.shrink();
    }

    /// Writes what waits, as far as the peer takes it; ready when nothing waits any more.
    pub(super) fn poll_write(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), tungstenite::Error>> {
        loop {
            let control = self.ping || self.control;
            if control && !self.outbound.is_midway() {
                ready!(self.poll_write_control(cx))?;
            } else if !self.outbound.is_empty() {
                let pieces = if control { 1 } else { usize::MAX };
                ready!(self.outbound.poll_write_some(pieces, &mut self.stream.io, cx))?;
                self.unflushed = true;
            } else if self.unflushed {
                ready!(Pin::new(&mut self.stream.io).poll_flush(cx))?;
                self.unflushed = false;
            } else {
                return Poll::Ready(Ok(()));
            }
        }
    }

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

    /// Reads on.
    pub(super) fn poll_read(&mut self, cx: &mut Task<'_>) -> Poll<Result<Received, Broken>> {
        if self.ended {
            return Poll::Ready(Err(Broken::Gone));
        }
        let may_write = !self.outbound.is_midway();
        let read = self.protocol.read(&mut self.stream.polled(cx, may_write));
        let received = match read {
            Ok(Message::Text(text)) => Ok(Received::Text(text)),
            Ok(Message::Binary(bytes)) => Ok(Received::Binary(bytes)),
            Ok(Message::Close(_)) => {
                self.control = true;
                Ok(Received::Closed)
            }
            Ok(Message::Ping(payload)) => {
                // The library has a pong to write, into a buffer that has no bound of its own.
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
                Err(Broken::of(&error))
            }
        };
        Poll::Ready(received)
    }

    /// Says goodbye: writes what waits, then a Close frame, and reads on until the peer has answered.
    pub(super) async fn close(&mut self, close: Close) {
        let reason = cut(&close.reason, MAX_REASON).to_owned();
        let code = CloseCode::from(close.code);
        // RFC 6455, section 7.4: some codes are never sent.
        let code = if code.is_allowed() { code } else { CloseCode::Error };
        let mut frame = Some(CloseFrame {
            code,
            reason: reason.into(),
        });
        let said = poll_fn(|cx| {
            ready!(self.poll_write(cx))?;
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
            poll_fn(|cx| self.poll_read(cx)).await
        {}
        self.drain().await;
    }

    /// Answers the peer's Close.
    pub(super) async fn answer_close(&mut self) {
        self.outbound.forget();
        // Nobody is left to be told that this failed.
        let _ = poll_fn(|cx| self.poll_write(cx)).await;
    }

    /// Hangs up, and reads whatever still comes until the peer does too: closed with bytes unread, TCP would reset
    /// the connection, and the peer might never see why it was closed.
    async fn drain(&mut self) {
        if self.stream.io.shutdown().await.is_err() {
            return;
        }
        let mut scratch = [0; 1024];
        while self.stream.io.read(&mut scratch).await.is_ok_and(|read| read > 0) {}
    }
}

/// The library's word for pending; and it reports the end of a closing handshake as an error.
fn or_pending(result: Result<(), tungstenite::Error>) -> Poll<Result<(), tungstenite::Error>> {
    match result {
        Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        Err(tungstenite::Error::ConnectionClosed) => Poll::Ready(Ok(())),
        result => Poll::Ready(result),
    }
}

impl Broken {
    /// RFC 6455, section 7.4.1, says which code stands for what; the library closes nothing by itself.
    fn of(error: &tungstenite::Error) -> Self {
        let (code, reason) = match error {
            tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => (1009, "message-too-large"),
            tungstenite::Error::Utf8(_) => (1007, "invalid-utf-8"),
            tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return Self::Gone,
            tungstenite::Error::Protocol(_) => (1002, "protocol-error"),
            _ => return Self::Gone,
        };
        Self::Violation(Close {
            code,
            reason: Cow::Borrowed(reason),
        })
    }
}

/// The longest beginning of a text with at most so many bytes.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
