//! The stream below the WebSocket, as the library wants it.

use std::{
    io::{self, Read, Write},
    ops::Range,
    pin::Pin,
    task::{Context as Task, Poll},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pool::Pool;

/// So many bytes are read at a time.
const READ_AT_ONCE: usize = 16 << 10;

thread_local! {
    static BUFFERS: Pool<Box<[u8]>> = const { Pool::new() };
}

/// The stream below the WebSocket. The library asks for little at a time, since what it asks for it holds; much is read
/// for it all the same, into a buffer that is lent until the library has asked for all.
pub(super) struct Stream {
    pub(super) io: TokioIo<Upgraded>,
    ahead: Option<Ahead>,
}

/// What was read and not asked for yet.
struct Ahead {
    buffer: Box<[u8]>,
    left: Range<usize>,
}

impl Stream {
    pub(super) fn new(upgraded: Upgraded) -> Self {
        Self {
            io: TokioIo::new(upgraded),
            ahead: None,
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

    /// Gives the buffer back, and keeps only as much as is needed.
    pub(super) fn shrink(&mut self) {
        if let Some(Ahead { buffer, left }) =
            self.ahead.take_if(|ahead| ahead.buffer.len() > ahead.left.len())
        {
            self.ahead = Some(Ahead {
                buffer: buffer[left.clone()].into(),
                left: 0..left.len(),
            });
            give_back(buffer);
        }
    }

    fn poll_read(&mut self, cx: &mut Task<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut ahead = match self.ahead.take() {
            Some(ahead) => ahead,
            None => {
                let mut buffer = BUFFERS
                    .with(Pool::take)
                    .unwrap_or_else(|| vec![0; READ_AT_ONCE].into());
                let mut read = ReadBuf::new(&mut buffer);
                let polled = Pin::new(&mut self.io).poll_read(cx, &mut read);
                let left = 0..read.filled().len();
                if left.is_empty() {
                    give_back(buffer);
                    return polled.map_ok(|()| 0);
                }
                Ahead { buffer, left }
            }
        };
        let asked = ahead.left.len().min(buf.len());
        let from = ahead.left.start;
        buf[..asked].copy_from_slice(&ahead.buffer[from..from + asked]);
        ahead.left.start += asked;
        if ahead.left.is_empty() {
            give_back(ahead.buffer);
        } else {
            self.ahead = Some(ahead);
        }
        Poll::Ready(Ok(asked))
    }
}

fn give_back(buffer: Box<[u8]>) {
    // Shorter ones are what a connection kept of one.
    if buffer.len() == READ_AT_ONCE {
        BUFFERS.with(|buffers| buffers.give_back(buffer));
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
