//! The WebSocket of an open connection, polled by hand: nothing is lost when a poll is not the last.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream as _, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{
    self, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    Outage,
    config::CLOSE_WITHIN,
    dial::{Received, Stream, read},
};

/// So many bytes are encoded before they are written.
const WRITE_AT_ONCE: usize = 64 << 10;
/// What a frame counts for beyond its bytes.
const FRAME_WEIGHT: usize = 64;

/// The WebSocket of an open connection.
pub(super) struct Socket {
    stream: Stream,
    /// Bytes given to the library since its last flush.
    unflushed: usize,
    /// Whether the library may hold anything that waits to be written.
    dirty: bool,
    /// Why writing failed. What the server said before that is still to be read.
    broken: Option<Outage>,
}

impl Socket {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            unflushed: 0,
            dirty: false,
            broken: None,
        }
    }

    /// Whether one more message may be sent.
    pub(super) fn has_room(&mut self, cx: &mut Task<'_>) -> bool {
        if self.broken.is_some() || self.unflushed >= WRITE_AT_ONCE {
            return false;
        }
        match Pin::new(&mut self.stream).poll_ready(cx) {
            Poll::Ready(done) => self.note(done),
            Poll::Pending => false,
        }
    }

    /// Sends a message, for which there must be room.
    pub(super) fn send(&mut self, message: Message) {
        self.unflushed += message.len() + FRAME_WEIGHT;
        self.dirty = true;
        let sent = Pin::new(&mut self.stream).start_send(message);
        self.note(sent);
    }

    /// Sends a ping, unless there is no room: then something else is on its way.
    pub(super) fn ping(&mut self, cx: &mut Task<'_>) {
        if self.has_room(cx) {
            self.send(Message::Ping(Bytes::new()));
        }
    }

    /// Writes what waits, as far as the server takes it. Whether nothing waits any more.
    pub(super) fn flush(&mut self, cx: &mut Task<'_>) -> bool {
        if !self.dirty || self.broken.is_some() {
            return true;
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(done) => {
                (self.unflushed, self.dirty) = (0, false);
                self.note(done)
            }
            Poll::Pending => false,
        }
    }

    pub(super) fn poll_read(&mut self, cx: &mut Task<'_>) -> Poll<Result<Received, Outage>> {
        match Pin::new(&mut self.stream).poll_next(cx) {
            Poll::Ready(next) => {
                // The library may have an answer to it: a pong, a Close.
                self.dirty |= !matches!(next, Some(Ok(Message::Text(_) | Message::Binary(_))));
                Poll::Ready(read(next))
            }
            Poll::Pending => match self.broken.take() {
                Some(broken) => Poll::Ready(Err(broken)),
                None => Poll::Pending,
            },
        }
    }

    fn note(&mut self, done: Result<(), tungstenite::Error>) -> bool {
        if let Err(error) = done {
            self.broken = Some(Outage::Broken(Arc::new(error)));
        }
        self.broken.is_none()
    }

    /// Answers the server's Close.
    pub(super) async fn answer_close(mut self) {
        // It need not take the answer.
        drop(timeout(Duration::from_secs(1), self.stream.flush()).await);
    }

    /// Writes what waits, says goodbye, and waits for the answer; not for long.
    pub(super) async fn close(mut self) {
        let goodbye = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let closing = async {
            if self.stream.close(Some(goodbye)).await.is_ok() {
                while let Some(Ok(_)) = self.stream.next().await {}
            }
        };
        drop(timeout(CLOSE_WITHIN, closing).await);
    }
}
