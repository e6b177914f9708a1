//! What waits to be written to a socket.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, IoSlice},
    ops::Deref,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use zocket_layers::FrameHeader;

/// What a frame counts for beyond its bytes.
pub(super) const FRAME_WEIGHT: usize = 64;
/// So many bytes, and somewhat more, are written at a time.
const WRITE_AT_ONCE: usize = 64 << 10;
/// Pieces of so many bytes are written from where they are. Smaller ones are gathered, unless there is only one.
const SHARED: usize = 4 << 10;
/// So many of those are written at a time.
const MAX_SHARED: usize = 16;

thread_local! {
    /// Where small frames are gathered, for all connections of a thread.
    static GATHERED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What waits to be written: everything goes out in one write, as far as the peer takes it.
#[derive(Default)]
pub(super) struct Outbound {
    pieces: VecDeque<Piece>,
    /// How much of the first piece has been written.
    written: usize,
    weight: usize,
}

enum Piece {
    /// A text message, whose header is yet to be written, too.
    Message(Bytes),
    /// Whole frames.
    Frames { wire: Bytes, weight: usize },
}

impl Piece {
    fn header_and_rest(&self) -> (Option<FrameHeader>, &Bytes) {
        match self {
            Self::Message(payload) => (Some(FrameHeader::text(payload.len())), payload),
            Self::Frames { wire, .. } => (None, wire),
        }
    }

    fn len(&self) -> usize {
        let (header, rest) = self.header_and_rest();
        header.map_or(0, |header| header.len()) + rest.len()
    }

    fn weight(&self) -> usize {
        match self {
            Self::Message(payload) => payload.len() + FRAME_WEIGHT,
            Self::Frames { weight, .. } => *weight,
        }
    }
}

impl Outbound {
    /// Queues a text message.
    pub(super) fn push(&mut self, message: Bytes) {
        self.queue(Piece::Message(message));
    }

    /// Queues whole frames.
    pub(super) fn push_frames(&mut self, wire: Bytes, weight: usize) {
        self.queue(Piece::Frames { wire, weight });
    }

    fn queue(&mut self, piece: Piece) {
        self.weight += piece.weight();
        self.pieces.push_back(piece);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes that wait, each frame counted with some of its own.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Whether a piece has been written in part, so that nothing else may be before the rest of it.
    pub(super) fn is_midway(&self) -> bool {
        self.written > 0
    }

    /// Lets go of what has not been begun.
    pub(super) fn forget(&mut self) {
        let begun = usize::from(self.is_midway());
        for piece in self.pieces.drain(begun..) {
            self.weight -= piece.weight();
        }
    }

    /// Gives back what an empty queue holds.
    pub(super) fn shrink(&mut self) {
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
    }

    /// Writes some of what waits, of `pieces` pieces at most.
    pub(super) fn poll_write_some(
        &mut self,
        pieces: usize,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Task<'_>,
    ) -> Poll<io::Result<()>> {
        if let (Some(Piece::Frames { wire, .. }), true) =
            (self.pieces.front(), self.pieces.len().min(pieces) == 1)
        {
            let written = ready!(Pin::new(io).poll_write(cx, &wire[self.written..]))?;
            return self.advance(written);
        }
        let written = GATHERED.with_borrow_mut(|gathered| {
            gathered.clear();
            let batch = Batch::of(self.pieces.iter().take(pieces), self.written, gathered);
            batch.poll_write(Pin::new(io), cx)
        });
        self.advance(ready!(written)?)
    }

    fn advance(&mut self, mut by: usize) -> Poll<io::Result<()>> {
        if by == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        while let Some(piece) = self.pieces.front() {
            let left = piece.len() - self.written;
            if by < left {
                self.written += by;
                break;
            }
            by -= left;
            self.written = 0;
            self.weight -= piece.weight();
            self.pieces.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

/// What goes out in one write: small pieces gathered, large ones where they are.
struct Batch<'a> {
    gathered: &'a [u8],
    /// Large pieces, each with how much was gathered before it.
    shared: [(usize, &'a [u8]); MAX_SHARED],
    count: usize,
}

impl<'a> Batch<'a> {
    fn of(pieces: impl Iterator<Item = &'a Piece>, mut skip: usize, gathered: &'a mut Vec<u8>) -> Self {
        let mut shared: [(usize, &[u8]); MAX_SHARED] = [(0, &[]); MAX_SHARED];
        let (mut count, mut total) = (0, 0);
        for piece in pieces {
            if total >= WRITE_AT_ONCE || count == MAX_SHARED {
                break;
            }
            let (header, rest) = piece.header_and_rest();
            let header = header.as_ref().map_or(&[][..], Deref::deref);
            let rest = &rest[skip.saturating_sub(header.len())..];
            let header = &header[skip.min(header.len())..];
            skip = 0;
            total += header.len() + rest.len();
            gathered.extend_from_slice(header);
            if rest.len() < SHARED {
                gathered.extend_from_slice(rest);
            } else {
                shared[count] = (gathered.len(), rest);
                count += 1;
            }
        }
        Self {
            gathered,
            shared,
            count,
        }
    }

    fn poll_write<W: AsyncWrite>(&self, io: Pin<&mut W>, cx: &mut Task<'_>) -> Poll<io::Result<usize>> {
        let shared = &self.shared[..self.count];
        match shared {
            [] => return io.poll_write(cx, self.gathered),
            [(0, only)] if self.gathered.is_empty() => return io.poll_write(cx, only),
            _ => {}
        }
        let mut slices = [IoSlice::new(&[]); 2 * MAX_SHARED + 1];
        let (mut count, mut from) = (0, 0);
        for (to, piece) in shared.iter().copied().chain([(self.gathered.len(), &[][..])]) {
            for slice in [&self.gathered[from..to], piece] {
                if !slice.is_empty() {
                    slices[count] = IoSlice::new(slice);
                    count += 1;
                }
            }
            from = to;
        }
        io.poll_write_vectored(cx, &slices[..count])
    }
}
