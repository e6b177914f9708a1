//! The WebSocket of an open connection. It is polled by hand, so that no data is lost when a pending future is dropped.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use futures_util::{FutureExt, Sink, SinkExt, Stream as _, StreamExt};
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

/// Bytes that may be buffered unflushed. From this size on, the socket accepts no message until a flush completes.
const WRITE_AT_ONCE: usize = 64 << 10;
/// Overhead that is added to each frame's bytes when buffered bytes are counted.
const FRAME_WEIGHT: usize = 64;

/// The WebSocket of an open connection.
pub(super) struct Socket {
    stream: Stream,
    /// Bytes passed to tungstenite since its last complete flush.
    unflushed: usize,
    /// True while tungstenite may hold data to write, its own pongs and Close answers included. Otherwise `flush` does
    /// nothing.
    dirty: bool,
    /// The error of a failed write. It is reported only after all received frames are read, as one may be the server's
    /// Close.
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

    /// Returns true if one more message may be sent.
    pub(super) fn has_room(&mut self, cx: &mut Task<'_>) -> bool {
        if self.broken.is_some() || self.unflushed >= WRITE_AT_ONCE {
            return false;
        }
        match Pin::new(&mut self.stream).poll_ready(cx) {
            Poll::Ready(done) => self.record_error(done),
            Poll::Pending => {
                self.dirty = true;
                false
            }
        }
    }

    /// Sends a message. Call it only after `has_room` returned true.
    pub(super) fn send(&mut self, message: Message) {
        self.unflushed += message.len() + FRAME_WEIGHT;
        self.dirty = true;
        let sent = Pin::new(&mut self.stream).start_send(message);
        self.record_error(sent);
    }

    /// Writes buffered data, as far as the server accepts it. Returns true if none is left.
    pub(super) fn flush(&mut self, cx: &mut Task<'_>) -> bool {
        if !self.dirty || self.broken.is_some() {
            return true;
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(done) => {
                (self.unflushed, self.dirty) = (0, false);
                self.record_error(done)
            }
            Poll::Pending => false,
        }
    }

    pub(super) fn poll_read(&mut self, cx: &mut Task<'_>) -> Poll<Result<Received, Outage>> {
        match Pin::new(&mut self.stream).poll_next(cx) {
            Poll::Ready(next) => {
                // tungstenite may have queued an answer: a pong, a Close.
                self.dirty |= !matches!(next, Some(Ok(Message::Text(_) | Message::Binary(_))));
                Poll::Ready(read(next))
            }
            Poll::Pending => match self.broken.take() {
                Some(broken) => Poll::Ready(Err(broken)),
                None => Poll::Pending,
            },
        }
    }

    fn record_error(&mut self, done: Result<(), tungstenite::Error>) -> bool {
        if let Err(error) = done {
            self.broken = Some(Outage::Broken(Arc::new(error)));
        }
        self.broken.is_none()
    }

    /// Answers the server's Close.
    pub(super) async fn answer_close(mut self) {
        // The server need not read the answer, so errors and the time-out are ignored.
        drop(timeout(Duration::from_secs(1), self.stream.flush()).await);
    }

    /// Writes buffered data, sends the Close that ends the session, and waits for its answer, all within `CLOSE_WITHIN`.
    pub(super) async fn close(mut self) {
        let closing = async {
            if self.stream.close(Some(bye())).await.is_ok() {
                while let Some(Ok(_)) = self.stream.next().await {}
            }
        };
        drop(timeout(CLOSE_WITHIN, closing).await);
    }

    /// Writes as much as the server accepts at once, and a Close without a code, after which the session goes on.
    pub(super) fn leave(mut self) {
        // Without the Close, the server notices the end of the stream.
        drop(self.stream.close(None).now_or_never());
    }
}

/// The Close of a client that ends its session.
fn bye() -> CloseFrame {
    CloseFrame {
        code: CloseCode::Normal,
        reason: "bye".into(),
    }
}
