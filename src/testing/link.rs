//! The in-memory connection between a test's client and its app. It can be cut and frozen.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, Waker},
};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// The client's end of the connection. Clones share the same end.
#[derive(Debug, Clone)]
pub(super) struct Link(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// `None` once the connection is cut.
    io: Option<DuplexStream>,
    frozen: bool,
    /// Tasks whose poll returned pending. A cut, a freeze or a thaw wakes them.
    waiting: Vec<Waker>,
}

impl Link {
    pub(super) fn new(io: DuplexStream) -> Self {
        Self(Arc::new(Mutex::new(State {
            io: Some(io),
            frozen: false,
            waiting: Vec::new(),
        })))
    }

    /// Cuts the connection for both sides, without a Close.
    pub(super) fn cut(&self) {
        let mut state = self.0.lock();
        state.io = None;
        state.wake();
    }

    /// Holds up all data in both directions if `frozen` is true. Otherwise lets it through again.
    pub(super) fn freeze(&self, frozen: bool) {
        let mut state = self.0.lock();
        state.frozen = frozen;
        state.wake();
    }

    fn poll<T>(
        &self,
        cx: &mut Task<'_>,
        poll: impl FnOnce(Pin<&mut DuplexStream>, &mut Task<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.0.lock();
        let is_frozen = state.frozen;
        let polled = match &mut state.io {
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Some(_) if is_frozen => Poll::Pending,
            Some(io) => poll(Pin::new(io), cx),
        };
        // The task is woken by a cut or a thaw, even if the connection freezes only after this poll.
        if polled.is_pending() {
            state.wait(cx);
        }
        polled
    }
}

impl State {
    fn wait(&mut self, cx: &Task<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Task<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |io, cx| io.poll_read(cx, buf))
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(cx, |io, cx| io.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |io, cx| io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |io, cx| io.poll_shutdown(cx))
    }
}
