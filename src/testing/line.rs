//! The wire between a test's client and its app, which can be cut and frozen.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, Waker},
};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// The client's end of the wire. Its clones are the same end.
#[derive(Debug, Clone)]
pub(super) struct Line(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// None when it is cut.
    io: Option<DuplexStream>,
    frozen: bool,
    /// Who waits for a thaw, or for the end.
    waiting: Vec<Waker>,
}

impl Line {
    pub(super) fn new(io: DuplexStream) -> Self {
        Self(Arc::new(Mutex::new(State {
            io: Some(io),
            frozen: false,
            waiting: Vec::new(),
        })))
    }

    /// Ends it, for both sides, without a word.
    pub(super) fn cut(&self) {
        let mut state = self.0.lock();
        state.io = None;
        state.wake();
    }

    /// Lets nothing through, in neither direction, until it thaws.
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
        // Woken when it is cut or thaws, even if it freezes only now.
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

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Task<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |io, cx| io.poll_read(cx, buf))
    }
}

impl AsyncWrite for Line {
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
