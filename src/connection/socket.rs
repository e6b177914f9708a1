//! The WebSocket, and what waits to be written to it.

use std::{
    borrow::Cow,
    collections::VecDeque,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        error::{CapacityError, ProtocolError},
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};
use zocket_layers::{Close, Limits};

use super::gauge::Part;

/// So many bytes are encoded before they are written; the library keeps a buffer of this size once it was needed.
const WRITE_AT_ONCE: usize = 64 << 10;
/// The library allocates it for every connection.
const READ_BUFFER: usize = 1 << 10;
/// What a frame counts for beyond its bytes.
const FRAME_WEIGHT: usize = 64;
/// RFC 6455, section 5.5: a control frame's payload, less the code.
const MAX_REASON: usize = 123;

/// The WebSocket, and what waits to be written to it: everything that waits goes out in one flush.
pub(super) struct Socket {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    outbound: VecDeque<Bytes>,
    weight: usize,
    /// Bytes given to the library since its last flush.
    unflushed: usize,
    /// What the library's answers to pings weigh that have not been flushed.
    pongs: usize,
    ping: bool,
    dirty: bool,
    gauge: Part,
}

/// What came in.
pub(super) enum Received {
    /// A text or binary message.
    Data(Bytes),
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
    pub(super) async fn new(upgraded: Upgraded, limits: &Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_AT_ONCE)
            .max_write_buffer_size(usize::MAX)
            .max_message_size(Some(limits.message))
            .max_frame_size(Some(limits.message));
        let stream =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        Self {
            stream,
            outbound: VecDeque::new(),
            weight: 0,
            unflushed: 0,
            pongs: 0,
            ping: false,
            dirty: false,
            gauge: Part::outbound(),
        }
    }

    /// Queues a text message.
    pub(super) fn send(&mut self, frame: Bytes) {
        self.weight += frame.len() + FRAME_WEIGHT;
        self.outbound.push_back(frame);
    }

    /// Queues a ping, ahead of what waits.
    pub(super) fn ping(&mut self) {
        self.ping = true;
    }

    /// Bytes that wait to be written.
    pub(super) fn weight(&self) -> usize {
        self.weight + self.pongs
    }

    /// Tells the gauge how much waits.
    pub(super) fn tell(&mut self) {
        self.gauge.tell(self.weight());
    }

    /// Writes what waits, as far as the peer takes it; ready when nothing waits any more.
    pub(super) fn poll_write(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), tungstenite::Error>> {
        loop {
            if self.unflushed < WRITE_AT_ONCE
                && let Some(message) = self.next_message()
            {
                ready!(Pin::new(&mut self.stream).poll_ready(cx))?;
                self.unflushed += message.len() + FRAME_WEIGHT;
                self.dirty = true;
                self.pop(&message);
                Pin::new(&mut self.stream).start_send(message)?;
                continue;
            }
            if !self.dirty {
                return Poll::Ready(Ok(()));
            }
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = 0;
            self.pongs = 0;
            self.dirty = false;
        }
    }

    fn next_message(&self) -> Option<Message> {
        if self.ping {
            return Some(Message::Ping(Bytes::new()));
        }
        let frame = self.outbound.front()?.clone();
        // A whole text message in one frame: what waits is UTF-8 by its making, and not looked at again.
        Some(Message::Frame(Frame::message(
            frame,
            OpCode::Data(Data::Text),
            true,
        )))
    }

    fn pop(&mut self, message: &Message) {
        if let Message::Ping(_) = message {
            self.ping = false;
        } else if let Some(frame) = self.outbound.pop_front() {
            self.weight -= frame.len() + FRAME_WEIGHT;
            if self.outbound.is_empty() {
                // A burst's queue is given back.
                self.outbound.shrink_to(32);
            }
        }
    }

    /// Reads on.
    pub(super) fn poll_read(&mut self, cx: &mut Task<'_>) -> Poll<Result<Received, Broken>> {
        let received = match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
            Some(Ok(Message::Text(text))) => Ok(Received::Data(text.into())),
            Some(Ok(Message::Binary(bytes))) => Ok(Received::Data(bytes)),
            Some(Ok(Message::Close(_))) => Ok(Received::Closed),
            Some(Ok(Message::Ping(payload))) => {
                // The library has put a pong into its buffer, which has no bound of its own.
                self.pongs += payload.len() + FRAME_WEIGHT;
                self.dirty = true;
                Ok(Received::Control)
            }
            Some(Ok(Message::Pong(_) | Message::Frame(_))) => Ok(Received::Control),
            Some(Err(error)) => Err(Broken::of(&error)),
            None => Err(Broken::Gone),
        };
        Poll::Ready(received)
    }

    /// Says goodbye: writes what waits, then a Close frame, and reads on until the peer has answered.
    pub(super) async fn close(&mut self, close: Close) {
        if self.write_all().await.is_err() {
            return;
        }
        let reason = cut(&close.reason, MAX_REASON).to_owned();
        let code = CloseCode::from(close.code);
        // RFC 6455, section 7.4: some codes are never sent.
        let code = if code.is_allowed() { code } else { CloseCode::Error };
        if self
            .stream
            .close(Some(CloseFrame {
                code,
                reason: reason.into(),
            }))
            .await
            .is_err()
        {
            return;
        }
        while let Ok(Received::Data(_) | Received::Control) =
            std::future::poll_fn(|cx| self.poll_read(cx)).await
        {}
        self.drain().await;
    }

    /// Lets the answer to the peer's Close go out.
    pub(super) async fn answer_close(&mut self) {
        while std::future::poll_fn(|cx| self.poll_read(cx)).await.is_ok() {}
    }

    async fn write_all(&mut self) -> Result<(), tungstenite::Error> {
        std::future::poll_fn(|cx| self.poll_write(cx)).await
    }

    /// Hangs up, and reads whatever still comes until the peer does too: closed with bytes unread, TCP would reset
    /// the connection, and the peer might never see why it was closed.
    async fn drain(&mut self) {
        if self.stream.get_mut().shutdown().await.is_err() {
            return;
        }
        let mut scratch = [0; 1024];
        while self
            .stream
            .get_mut()
            .read(&mut scratch)
            .await
            .is_ok_and(|read| read > 0)
        {}
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
