//! The queue of frames to be written to the peer.

mod keep;
mod piece;
mod record;

use std::collections::VecDeque;

use zocket_layers::{
    DataFrame,
    hub::Batch,
    internal::{Broken, is_broken},
    protocol::FrameHeader,
};

pub(in crate::connection) use self::piece::{FRAME_WEIGHT, Piece};
use self::record::Record;
use super::gauge::{GaugePart, OutboundBytes};
use crate::connection::buffers::{WRITE_SIZE, take_write_buffer};

/// Frames of at least this many bytes are written from their own buffer. Smaller ones are gathered.
pub(in crate::connection) const SHARED: usize = 4 << 10;

/// The queue of frames to be written to the peer, as bytes, and the position up to which they have been written. For a
/// client that counts frames, it is also the [`Record`] of those that the client has not acknowledged.
#[derive(Default)]
pub(in crate::connection) struct Outbound {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece to be written that have been written, its header included.
    written: usize,
    weight: usize,
    /// `None` for a client that does not count frames.
    record: Option<Box<Record>>,
    gauge: GaugePart<OutboundBytes>,
}

impl Outbound {
    /// Queues a frame. It gets the next number.
    pub(in crate::connection) fn push(&mut self, frame: DataFrame) {
        let counted = self.count(1);
        self.push_as(frame, counted);
    }

    /// Queues a frame without a number, which is not written again on another socket.
    pub(in crate::connection) fn push_uncounted(&mut self, frame: DataFrame) {
        self.push_as(frame, 0);
    }

    /// Queues frames that other connections share. They get the next numbers.
    pub(in crate::connection) fn push_batch(&mut self, batch: Batch) {
        let has_one_number = is_broken(Broken::Numbering);
        self.count(if has_one_number { 1 } else { batch.frames });
        self.queue(Piece::Shared(batch));
    }

    /// Numbers frames. Returns how many were numbered, none for a client that does not count.
    fn count(&self, frames: usize) -> usize {
        match &self.record {
            Some(record) => {
                record.count(frames as u64);
                frames
            }
            None => 0,
        }
    }

    fn push_as(&mut self, frame: DataFrame, number: usize) {
        let (kind, content) = (frame.kind(), frame.bytes());
        if content.len() >= SHARED {
            return self.queue(Piece::Content {
                kind,
                bytes: frame.into_bytes(),
                is_counted: number > 0,
            });
        }
        let has_place = matches!(
            self.pieces.back(),
            Some(Piece::Own { wire, counted, .. }) if wire.len() < WRITE_SIZE && (*counted > 0) == (number > 0)
        );
        if !has_place {
            let wire = take_write_buffer();
            self.queue(Piece::Own {
                wire,
                weight: 0,
                counted: 0,
            });
        }
        if let Some(Piece::Own {
            wire,
            weight,
            counted,
        }) = self.pieces.back_mut()
        {
            wire.extend_from_slice(&FrameHeader::new(kind, content.len()));
            wire.extend_from_slice(content);
            *weight += content.len() + FRAME_WEIGHT;
            *counted += number;
            self.weight += content.len() + FRAME_WEIGHT;
        }
    }

    /// Queues a frame without a number before all others.
    fn push_first(&mut self, frame: DataFrame) {
        let (kind, bytes) = (frame.kind(), frame.into_bytes());
        let first = Piece::Content {
            kind,
            bytes,
            is_counted: false,
        };
        self.weight += first.weight();
        self.pieces.push_front(first);
    }

    /// Returns the index of the first piece to be written.
    fn next(&self) -> usize {
        self.record.as_ref().map_or(0, |record| record.next)
    }

    fn queue(&mut self, piece: Piece) {
        self.weight += piece.weight();
        self.pieces.push_back(piece);
    }

    /// Returns the pieces to be written, in order. [`written`](Self::written) bytes of the first one have been written.
    pub(in crate::connection) fn pieces(&self) -> impl ExactSizeIterator<Item = &Piece> {
        self.pieces.range(self.next()..)
    }

    /// Returns the number of bytes of the first piece that have been written, its header included.
    pub(in crate::connection) fn written(&self) -> usize {
        self.written
    }

    pub(in crate::connection) fn is_empty(&self) -> bool {
        self.pieces.len() == self.next()
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
        self.forget_kept();
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

    /// Advances the position by `by` bytes that have been written. Drops the pieces before it, or keeps them in the
    /// record.
    pub(in crate::connection) fn advance(&mut self, mut by: usize) {
        while let Some(piece) = self
            .pieces
            .get_mut(self.record.as_ref().map_or(0, |record| record.next))
        {
            let left = piece.len() - self.written;
            if by < left {
                self.written += by;
                return;
            }
            by -= left;
            self.written = 0;
            if self.record.is_some() {
                self.pass_written();
                continue;
            }
            self.weight -= piece.weight();
            piece.return_buffer();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
