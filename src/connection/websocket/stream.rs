//! The stream below the WebSocket, as tungstenite reads and writes it.

use std::{
    io::{self, Read, Write},
    ops::Range,
    pin::Pin,
    task::{Context as Task, Poll},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};

use crate::connection::buffers::{return_read_buffer, take_read_buffer};

/// The stream below the WebSocket. tungstenite keeps the buffer that it reads into, and so gets a small one. The stream
/// reads ahead into a large buffer from the thread's pool, which it holds until tungstenite has read all of it.
pub(super) struct Stream {
    pub(super) io: TokioIo<Upgraded>,
    /// `None` if nothing is read ahead.
    ahead: Option<Ahead>,
    /// True if bytes have arrived since the flag was taken.
    pub(super) has_received: bool,
}

/// Bytes that were read ahead.
struct Ahead {
    buffer: Box<[u8]>,
    left: Range<usize>,
}

impl Stream {
    pub(super) fn new(upgraded: Upgraded) -> Self {
        Self {
            io: TokioIo::new(upgraded),
            ahead: None,
            has_received: false,
        }
    }

    /// Returns the stream for one poll, as a blocking stream. Reading returns `WouldBlock` if the stream is pending.
    /// Writing appends to `control`.
    pub(super) fn polled<'a, 'b>(
        &'a mut self,
        cx: &'a mut Task<'b>,
        control: &'a mut Vec<u8>,
    ) -> Polled<'a, 'b> {
        Polled {
            stream: self,
            cx,
            control,
        }
    }

    /// Puts the buffer back into the pool, and keeps a copy of the unread rest.
    pub(super) fn shrink(&mut self) {
        if let Some(Ahead { buffer, left }) =
            self.ahead.take_if(|ahead| ahead.buffer.len() > ahead.left.len())
        {
            self.ahead = Some(Ahead {
                buffer: buffer[left.clone()].into(),
                left: 0..left.len(),
            });
            return_read_buffer(buffer);
        }
    }

    fn poll_read(&mut self, cx: &mut Task<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut ahead = match self.ahead.take() {
            Some(ahead) => ahead,
            None => {
                let mut buffer = take_read_buffer();
                let mut read = ReadBuf::new(&mut buffer);
                let polled = Pin::new(&mut self.io).poll_read(cx, &mut read);
                let left = 0..read.filled().len();
                if left.is_empty() {
                    return_read_buffer(buffer);
                    return polled.map_ok(|()| 0);
                }
                self.has_received = true;
                Ahead { buffer, left }
            }
        };
        let asked = ahead.left.len().min(buf.len());
        let from = ahead.left.start;
        buf[..asked].copy_from_slice(&ahead.buffer[from..from + asked]);
        ahead.left.start += asked;
        if ahead.left.is_empty() {
            return_read_buffer(ahead.buffer);
        } else {
            self.ahead = Some(ahead);
        }
        Poll::Ready(Ok(asked))
    }
}

/// A [`Stream`] during one poll, with the interface that tungstenite needs.
pub(super) struct Polled<'a, 'b> {
    stream: &'a mut Stream,
    cx: &'a mut Task<'b>,
    control: &'a mut Vec<u8>,
}

impl Read for Polled<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.stream.poll_read(self.cx, buf) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.control.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
