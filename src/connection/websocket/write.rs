//! Writes queued frames to a stream. One write has as many frames as fit.

use std::{
    io::{self, IoSlice},
    ops::Deref,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use tokio::io::AsyncWrite;

use crate::connection::{
    buffers::{WRITE_SIZE, return_write_buffer, take_write_buffer},
    session::outbound::{Outbound, Piece, SHARED},
};

/// Limit for the pieces of one write that are not copied into the gathering buffer.
const MAX_SHARED: usize = 16;

/// Writes queued frames in one write, from `pieces` pieces at most. Advances the queue by the bytes that the peer
/// accepted.
///
/// # Errors
/// `WriteZero` if the stream accepts nothing, and errors of the stream.
pub(super) fn poll_write_some(
    outbound: &mut Outbound,
    pieces: usize,
    io: &mut (impl AsyncWrite + Unpin),
    cx: &mut Task<'_>,
) -> Poll<io::Result<()>> {
    let written = {
        let mut waiting = outbound.pieces().take(pieces);
        match (waiting.next().map(Piece::header_and_rest), waiting.next()) {
            (Some((None, wire)), None) => ready!(Pin::new(io).poll_write(cx, &wire[outbound.written()..]))?,
            _ => {
                let mut gathered = take_write_buffer();
                let waiting = outbound.pieces().take(pieces);
                let write = VectoredWrite::of(waiting, outbound.written(), &mut gathered);
                let written = write.poll_write(Pin::new(io), cx);
                return_write_buffer(gathered);
                ready!(written)?
            }
        }
    };
    if written == 0 {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    outbound.advance(written);
    Poll::Ready(Ok(()))
}

/// The bytes of one write. Small pieces are gathered in one buffer, large ones are written from their own.
struct VectoredWrite<'a> {
    gathered: &'a [u8],
    /// Large pieces, each with the number of bytes that were gathered before it.
    shared: [(usize, &'a [u8]); MAX_SHARED],
    count: usize,
}

impl<'a> VectoredWrite<'a> {
    /// Collects pieces until the write is large enough. The first `skip` bytes have been written already.
    fn of(pieces: impl Iterator<Item = &'a Piece>, mut skip: usize, gathered: &'a mut Vec<u8>) -> Self {
        let mut shared: [(usize, &[u8]); MAX_SHARED] = [(0, &[]); MAX_SHARED];
        let (mut count, mut total) = (0, 0);
        for piece in pieces {
            if total >= WRITE_SIZE || count == MAX_SHARED {
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

    use zocket_layers::{DataFrame, hub::Batch, protocol::FrameHeader};

    use super::*;
    use crate::connection::session::outbound::FRAME_WEIGHT;

    /// A peer that accepts a limited number of bytes at a time, and records them.
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
        match poll_write_some(
            outbound,
            pieces,
            peer,
            &mut Task::from_waker(std::task::Waker::noop()),
        ) {
            Poll::Ready(written) => written,
            Poll::Pending => panic!("the peer is never busy"),
        }
    }

    fn text(length: usize, letter: u8) -> DataFrame {
        DataFrame::text(String::from(letter as char).repeat(length))
    }

    fn framed(frame: &DataFrame) -> Vec<u8> {
        [
            &FrameHeader::new(frame.kind(), frame.bytes().len()),
            frame.bytes(),
        ]
        .concat()
    }

    /// Queues messages of these lengths, each third one as a shared frame. Returns the bytes that the peer has to
    /// receive.
    fn fill(outbound: &mut Outbound, lengths: &[usize]) -> Vec<u8> {
        let mut expected = Vec::new();
        for (number, length) in lengths.iter().enumerate() {
            let text = text(*length, b'a' + (number % 26) as u8);
            expected.extend(framed(&text));
            if number % 3 == 2 {
                outbound.push_batch(Batch::new(framed(&text).into(), length + FRAME_WEIGHT, 1));
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
    fn partial_writes_deliver_everything_in_order() {
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
    fn frames_of_every_kind_share_one_write() {
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
    fn one_write_is_limited_in_size() {
        let (mut outbound, mut peer) = (Outbound::default(), taking(usize::MAX));
        fill(&mut outbound, &[3_000; 100]);
        write_some(&mut outbound, usize::MAX, &mut peer).unwrap();
        assert!(!outbound.is_empty());
        assert!(peer.got.len() < 2 * WRITE_SIZE, "{}", peer.got.len());
    }

    #[test]
    fn discarding_frames_still_completes_the_started_frame() {
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
    fn a_write_of_zero_bytes_is_an_error() {
        let mut outbound = Outbound::default();
        outbound.push(text(1, b'a'));
        let error = write_some(&mut outbound, 1, &mut taking(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
