//! The stream below the WebSocket, as the library wants it.

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    pin::Pin,
    task::{Context as Task, Poll},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So many bytes are read at a time, into a buffer that a thread's connections share.
const READ_AT_ONCE: usize = 16 << 10;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_AT_ONCE].into());
}

/// The stream below the WebSocket. The library asks for little at a time, since what it asks for it holds; much is read
/// for it all the same, and kept until it asks again.
pub(super) struct Stream {
    pub(super) io: TokioIo<Upgraded>,
    /// What was read and not asked for yet.
    ahead: Vec<u8>,
    /// How much of that has been asked for since.
    taken: usize,
}

impl Stream {
    pub(super) fn new(upgraded: Upgraded) -> Self {
        Self {
            io: TokioIo::new(upgraded),
            ahead: Vec::new(),
            taken: 0,
        }
    }

    /// The stream as a blocking one that would block where it is pending.
    pub(super) fn polled<'a, 'b>(&'a mut self, cx: &'a mut Task<'b>, may_write: bool) -> Polled<'a, 'b> {
        Polled {
            stream: self,
            cx,
            may_write,
        }
    }

    fn poll_read(&mut self, cx: &mut Task<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.ahead.is_empty() {
            return BUFFER.with_borrow_mut(|buffer| {
                let mut read = ReadBuf::new(buffer);
                std::task::ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
                let read = read.filled();
                let (now, later) = read.split_at(read.len().min(buf.len()));
                buf[..now.len()].copy_from_slice(now);
                self.ahead.extend_from_slice(later);
                Poll::Ready(Ok(now.len()))
            });
        }
        let left = &self.ahead[self.taken..];
        let now = left.len().min(buf.len());
        buf[..now].copy_from_slice(&left[..now]);
        self.taken += now;
        if self.taken == self.ahead.len() {
            self.ahead = Vec::new();
            self.taken = 0;
        }
        Poll::Ready(Ok(now))
    }
}

/// A [`Stream`] within a task.
pub(super) struct Polled<'a, 'b> {
    stream: &'a mut Stream,
    cx: &'a mut Task<'b>,
    /// Not in the midst of a frame that is not the library's.
    may_write: bool,
}

impl Read for Polled<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        or_block(self.stream.poll_read(self.cx, buf))
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if !self.may_write {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        or_block(Pin::new(&mut self.stream.io).poll_write(self.cx, buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        or_block(Pin::new(&mut self.stream.io).poll_flush(self.cx))
    }
}

fn or_block<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
