//! The queue of frames to be written to the peer.

use std::{collections::VecDeque, mem};

use bytes::Bytes;
use zocket_layers::{DataFrame, Kind, hub::Batch, protocol::FrameHeader};

use super::gauge::{GaugePart, OutboundBytes};
use crate::connection::buffers::{WRITE_SIZE, return_write_buffer, take_write_buffer};

/// Bytes that a frame counts for in addition to its content, because the queue has a cost for each frame.
pub(in crate::connection) const FRAME_WEIGHT: usize = 64;
/// Frames of at least this many bytes are written from their own buffer. Smaller ones are gathered.
pub(in crate::connection) const SHARED: usize = 4 << 10;

/// The queue of frames to be written to the peer, as bytes, and the position up to which they have been written.
#[derive(Default)]
pub(in crate::connection) struct Outbound {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that have been written, its header included.
    written: usize,
    weight: usize,
    gauge: GaugePart<OutboundBytes>,
}

/// One or several frames that are written from one buffer.
pub(in crate::connection) enum Piece {
    /// Whole frames of this connection. More can be appended.
    Own { wire: Vec<u8>, weight: usize },
    /// The content of a large frame. Its header is written before it.
    Content { kind: Kind, bytes: Bytes },
    /// Whole frames that other connections share.
    Shared(Batch),
}

impl Piece {
    /// Returns the bytes to write: the header, if it is not part of the other bytes, and the other bytes.
    pub(in crate::connection) fn header_and_rest(&self) -> (Option<FrameHeader>, &[u8]) {
        match self {
            Self::Own { wire, .. } => (None, wire),
            Self::Content { kind, bytes } => (Some(FrameHeader::new(*kind, bytes.len())), bytes),
            Self::Shared(batch) => (None, &batch.wire),
        }
    }

    fn len(&self) -> usize {
        let (header, rest) = self.header_and_rest();
        header.map_or(0, |header| header.len()) + rest.len()
    }

    fn weight(&self) -> usize {
        match self {
            Self::Content { bytes, .. } => bytes.len() + FRAME_WEIGHT,
            Self::Own { weight, .. } => *weight,
            Self::Shared(batch) => batch.weight,
        }
    }
}

impl Outbound {
    /// Queues a frame.
    pub(in crate::connection) fn push(&mut self, frame: DataFrame) {
        let (kind, content) = (frame.kind(), frame.bytes());
        if content.len() >= SHARED {
            return self.queue(Piece::Content {
                kind,
                bytes: frame.into_bytes(),
            });
        }
        if !matches!(self.pieces.back(), Some(Piece::Own { wire, .. }) if wire.len() < WRITE_SIZE) {
            let wire = take_write_buffer();
            self.queue(Piece::Own { wire, weight: 0 });
        }
        if let Some(Piece::Own { wire, weight }) = self.pieces.back_mut() {
            wire.extend_from_slice(&FrameHeader::new(kind, content.len()));
            wire.extend_from_slice(content);
            *weight += content.len() + FRAME_WEIGHT;
            self.weight += content.len() + FRAME_WEIGHT;
        }
    }

    /// Queues frames that other connections share.
    pub(in crate::connection) fn push_batch(&mut self, batch: Batch) {
        self.queue(Piece::Shared(batch));
    }

    fn queue(&mut self, piece: Piece) {
        self.weight += piece.weight();
        self.pieces.push_back(piece);
    }

    /// Returns the pieces in order. [`written`](Self::written) bytes of the first one have been written.
    pub(in crate::connection) fn pieces(&self) -> impl ExactSizeIterator<Item = &Piece> {
        self.pieces.iter()
    }

    /// Returns the number of bytes of the first piece that have been written, its header included.
    pub(in crate::connection) fn written(&self) -> usize {
        self.written
    }

    pub(in crate::connection) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns the bytes that wait, each frame counted with [`FRAME_WEIGHT`] more. A piece counts in full until all of
    /// it has been written.
    pub(in crate::connection) fn weight(&self) -> usize {
        self.weight
    }

    /// Returns true if a piece has been written in part. No other frame may be written before the rest of it.
    pub(in crate::connection) fn is_midway(&self) -> bool {
        self.written > 0
    }

    /// Drops the pieces that have not begun. One that has begun stays, because its frame has to be completed.
    pub(in crate::connection) fn forget(&mut self) {
        let begun = usize::from(self.is_midway());
        for piece in self.pieces.drain(begun..) {
            self.weight -= piece.weight();
        }
    }

    /// Reports the bytes that wait to the gauge. `control_bytes`, those of pongs that wait in the socket, are
    /// added.
    pub(super) fn report(&mut self, control_bytes: usize) {
        self.gauge.report(self.weight + control_bytes);
    }

    /// Frees the memory of an empty queue.
    pub(super) fn shrink(&mut self) {
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
    }

    /// Advances the position by `by` bytes that have been written, and drops the pieces before it.
    pub(in crate::connection) fn advance(&mut self, mut by: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            let left = piece.len() - self.written;
            if by < left {
                self.written += by;
                return;
            }
            by -= left;
            self.written = 0;
            self.weight -= piece.weight();
            if let Piece::Own { wire, .. } = piece {
                return_write_buffer(mem::take(wire));
            }
            self.pieces.pop_front();
        }
    }
}
