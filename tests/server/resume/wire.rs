//! The client's end of a connection, which can be cut at any byte.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as Task, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A pipe, or a stream of HTTP/2.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The client's end of a connection. It breaks after a number of bytes in either direction.
pub(super) struct Wire {
    io: Option<Box<dyn Duplex>>,
    /// Bytes until the cut. `usize::MAX` for none.
    left: Arc<AtomicUsize>,
}

impl Wire {
    /// Returns the end, and the number of bytes until its cut.
    pub(super) fn new(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        cut: usize,
    ) -> (Self, Arc<AtomicUsize>) {
        let (io, left) = (
            Some(Box::new(io) as Box<dyn Duplex>),
            Arc::new(AtomicUsize::new(cut)),
        );
        let wire = Self {
            io,
            left: left.clone(),
        };
        (wire, left)
    }

    /// Polls the pipe with at most `most` bytes, or fewer before the cut. Breaks it if there are none.
    fn poll(
        &mut self,
        most: usize,
        poll: impl FnOnce(Pin<&mut dyn Duplex>, usize) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            self.io = None;
        }
        let Some(io) = &mut self.io else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        let moved = ready!(poll(Pin::new(&mut **io), left.min(most)))?;
        if left != usize::MAX {
            self.left.store(left - moved, Ordering::Relaxed);
        }
        Poll::Ready(Ok(moved))
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Task<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let most = buf.remaining().min(4_096);
        ready!(self.poll(most, |io, most| {
            let mut bytes = vec![0; most];
            let mut part = ReadBuf::new(&mut bytes);
            ready!(io.poll_read(cx, &mut part))?;
            buf.put_slice(part.filled());
            Poll::Ready(Ok(part.filled().len()))
        }))?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(bytes.len(), |io, most| io.poll_write(cx, &bytes[..most]))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        self.poll(1, |io, _| io.poll_flush(cx).map_ok(|()| 0))
            .map_ok(drop)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        self.poll(1, |io, _| io.poll_shutdown(cx).map_ok(|()| 0))
            .map_ok(drop)
    }
}
