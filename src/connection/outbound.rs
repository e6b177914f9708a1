//! What waits to be written to a socket.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    mem,
    ops::Deref,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use zocket_layers::FrameHeader;

use super::pool::Pool;

/// What a frame counts for beyond its bytes.
pub(super) const FRAME_WEIGHT: usize = 64;
/// So many bytes, and somewhat more, are written at a time.
const WRITE_AT_ONCE: usize = 64 << 10;
/// Pieces of so many bytes are written from where they are. Smaller ones are gathered, unless there is only one.
const SHARED: usize = 4 << 10;
/// So many of those are written at a time.
const MAX_SHARED: usize = 16;
/// A queue that has held more pieces is not kept.
const MAX_KEPT_PIECES: usize = 64;

thread_local! {
    static BUFFERS: Pool<Vec<u8>> = const { Pool::new() };
    static QUEUES: Pool<VecDeque<Piece>> = const { Pool::new() };
}

fn take_buffer() -> Vec<u8> {
    BUFFERS.with(Pool::take).unwrap_or_default()
}

fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() <= 2 * WRITE_AT_ONCE {
        buffer.clear();
        BUFFERS.with(|buffers| buffers.give_back(buffer));
    }
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
    /// Whole frames, too, of this connection alone: more can be appended.
    Own { wire: Vec<u8>, weight: usize },
    /// A large text message, whose header is yet to be written, too.
    Message(Bytes),
    /// Whole frames.
    Frames { wire: Bytes, weight: usize },
}

impl Piece {
    fn header_and_rest(&self) -> (Option<FrameHeader>, &[u8]) {
        match self {
            Self::Own { wire, .. } => (None, wire),
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
            Self::Own { weight, .. } | Self::Frames { weight, .. } => *weight,
        }
    }
}

impl Outbound {
    /// Queues a text message.
    pub(super) fn push(&mut self, message: impl AsRef<[u8]> + Into<Bytes>) {
        let text = message.as_ref();
        if text.len() >= SHARED {
            return self.queue(Piece::Message(message.into()));
        }
        if !matches!(self.pieces.back(), Some(Piece::Own { wire, .. }) if wire.len() < WRITE_AT_ONCE) {
            let wire = take_buffer();
            self.queue(Piece::Own { wire, weight: 0 });
        }
        if let Some(Piece::Own { wire, weight }) = self.pieces.back_mut() {
            wire.extend_from_slice(&FrameHeader::text(text.len()));
            wire.extend_from_slice(text);
            *weight += text.len() + FRAME_WEIGHT;
            self.weight += text.len() + FRAME_WEIGHT;
        }
    }

    /// Queues whole frames.
    pub(super) fn push_frames(&mut self, wire: Bytes, weight: usize) {
        self.queue(Piece::Frames { wire, weight });
    }

    fn queue(&mut self, piece: Piece) {
        if self.pieces.capacity() == 0 {
            self.pieces = QUEUES.with(Pool::take).unwrap_or_default();
        }
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
        if self.pieces.is_empty() && self.pieces.capacity() > 0 {
            let queue = mem::take(&mut self.pieces);
            if queue.capacity() <= MAX_KEPT_PIECES {
                QUEUES.with(|queues| queues.give_back(queue));
            }
        }
    }

    /// Writes some of what waits, of `pieces` pieces at most.
    pub(super) fn poll_write_some(
        &mut self,
        pieces: usize,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Task<'_>,
    ) -> Poll<io::Result<()>> {
        if let (Some((None, wire)), true) = (
            self.pieces.front().map(Piece::header_and_rest),
            self.pieces.len().min(pieces) == 1,
        ) {
            let written = ready!(Pin::new(io).poll_write(cx, &wire[self.written..]))?;
            return self.advance(written);
        }
        let mut gathered = take_buffer();
        let batch = Batch::of(self.pieces.iter().take(pieces), self.written, &mut gathered);
        let written = batch.poll_write(Pin::new(io), cx);
        give_back(gathered);
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
            if let Some(Piece::Own { wire, .. }) = self.pieces.pop_front() {
                give_back(wire);
            }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what fails here is a test")]

    use super::*;

    /// A peer that takes some bytes at a time, and remembers how it got them.
    #[derive(Default)]
    struct Peer {
        at_once: usize,
        got: Vec<u8>,
        writes: usize,
    }

    impl AsyncWrite for Peer {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.at_once);
            self.got.extend_from_slice(&bytes[..taken]);
            self.writes += 1;
            Poll::Ready(Ok(taken))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            cx: &mut Task<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let together: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            self.poll_write(cx, &together)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn taking(at_once: usize) -> Peer {
        Peer {
            at_once,
            ..Peer::default()
        }
    }

    fn write_some(outbound: &mut Outbound, pieces: usize, peer: &mut Peer) -> io::Result<()> {
        match outbound.poll_write_some(pieces, peer, &mut Task::from_waker(std::task::Waker::noop())) {
            Poll::Ready(written) => written,
            Poll::Pending => panic!("the peer is never busy"),
        }
    }

    fn text(length: usize, letter: u8) -> Vec<u8> {
        vec![letter; length]
    }

    fn framed(text: &[u8]) -> Vec<u8> {
        [&FrameHeader::text(text.len()), text].concat()
    }

    /// Queues messages of these lengths, each third one as a frame of others', and says what the peer is to get.
    fn fill(outbound: &mut Outbound, lengths: &[usize]) -> Vec<u8> {
        let mut expected = Vec::new();
        for (number, length) in lengths.iter().enumerate() {
            let text = text(*length, b'a' + (number % 26) as u8);
            expected.extend(framed(&text));
            if number % 3 == 2 {
                outbound.push_frames(framed(&text).into(), length + FRAME_WEIGHT);
            } else {
                outbound.push(text);
            }
        }
        assert_eq!(
            outbound.weight(),
            lengths.iter().map(|length| length + FRAME_WEIGHT).sum::<usize>()
        );
        expected
    }

    #[test]
    fn a_peer_that_takes_little_gets_everything_in_order() {
        let small: &[usize] = &[5, 200, 0, 125, 126, 1, 1, 3];
        let large: &[usize] = &[5, 200, 70_000, 0, 4_095, 4_096, 4_097, 1, 1, 20_000, 65_536, 3];
        for (lengths, at_once) in [
            (small, 1),
            (small, 7),
            (large, 1_000),
            (large, 4_096),
            (large, 70_000),
            (large, usize::MAX),
        ] {
            for pieces in [1, usize::MAX] {
                let (mut outbound, mut peer) = (Outbound::default(), taking(at_once));
                let expected = fill(&mut outbound, lengths);
                while !outbound.is_empty() {
                    write_some(&mut outbound, pieces, &mut peer).unwrap();
                }
                assert!(peer.got == expected, "{at_once} at once, {pieces} pieces");
                assert_eq!((outbound.weight(), outbound.is_midway()), (0, false));
            }
        }
    }

    #[test]
    fn what_fits_goes_out_in_one_write_whatever_its_kind() {
        for lengths in [
            &[10; 40][..],
            &[10, 10, 10],
            &[10],
            &[5_000],
            &[10, 10, 9_000, 10, 9_000, 10, 10],
        ] {
            let (mut outbound, mut peer) = (Outbound::default(), taking(usize::MAX));
            let expected = fill(&mut outbound, lengths);
            write_some(&mut outbound, usize::MAX, &mut peer).unwrap();
            assert!(peer.got == expected, "{lengths:?}");
            assert_eq!((peer.writes, outbound.is_empty()), (1, true), "{lengths:?}");
        }
    }

    #[test]
    fn one_write_is_bounded() {
        let (mut outbound, mut peer) = (Outbound::default(), taking(usize::MAX));
        fill(&mut outbound, &[3_000; 100]);
        write_some(&mut outbound, usize::MAX, &mut peer).unwrap();
        assert!(!outbound.is_empty());
        assert!(peer.got.len() < 2 * WRITE_AT_ONCE, "{}", peer.got.len());
    }

    #[test]
    fn of_what_is_forgotten_what_was_begun_is_written_to_its_end() {
        let (mut outbound, mut peer) = (Outbound::default(), taking(3));
        outbound.push(text(5_000, b'a'));
        outbound.push(text(5_000, b'b'));
        write_some(&mut outbound, 1, &mut peer).unwrap();
        assert!(outbound.is_midway());
        outbound.forget();
        assert_eq!(outbound.weight(), 5_000 + FRAME_WEIGHT);
        while !outbound.is_empty() {
            write_some(&mut outbound, 1, &mut peer).unwrap();
        }
        assert!(peer.got == framed(&text(5_000, b'a')));
        outbound.push(text(1, b'c'));
        outbound.forget();
        assert_eq!((outbound.weight(), outbound.is_empty()), (0, true));
    }

    #[test]
    fn a_peer_that_takes_nothing_is_an_error() {
        let mut outbound = Outbound::default();
        outbound.push(text(1, b'a'));
        let error = write_some(&mut outbound, 1, &mut taking(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
