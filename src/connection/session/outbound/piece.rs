use std::mem;

use bytes::Bytes;
use zocket_layers::{Kind, hub::Batch, protocol::FrameHeader};

use crate::connection::buffers::return_write_buffer;

/// Bytes that a frame counts for in addition to its content, because the queue has a cost for each frame.
pub(in crate::connection) const FRAME_WEIGHT: usize = 64;

/// One or several frames that are written from one buffer.
pub(in crate::connection) enum Piece {
    /// Whole frames of this connection. More can be appended. `counted` of them have numbers: all or none.
    Own {
        wire: Vec<u8>,
        weight: usize,
        counted: usize,
    },
    /// The content of a large frame. Its header is written before it.
    Content {
        kind: Kind,
        bytes: Bytes,
        is_counted: bool,
    },
    /// Whole frames that other connections share, or that the record keeps.
    Shared(Batch),
}

impl Piece {
    /// Returns the bytes to write: the header, if it is not part of the other bytes, and the other bytes.
    pub(in crate::connection) fn header_and_rest(&self) -> (Option<FrameHeader>, &[u8]) {
        match self {
            Self::Own { wire, .. } => (None, wire),
            Self::Content { kind, bytes, .. } => (Some(FrameHeader::new(*kind, bytes.len())), bytes),
            Self::Shared(batch) => (None, &batch.wire),
        }
    }

    pub(super) fn len(&self) -> usize {
        let (header, rest) = self.header_and_rest();
        header.map_or(0, |header| header.len()) + rest.len()
    }

    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Content { bytes, .. } => bytes.len() + FRAME_WEIGHT,
            Self::Own { weight, .. } => *weight,
            Self::Shared(batch) => batch.weight,
        }
    }

    /// Returns the number of its frames that have numbers.
    pub(super) fn counted(&self) -> u64 {
        match self {
            Self::Own { counted, .. } => *counted as u64,
            Self::Content { is_counted, .. } => u64::from(*is_counted),
            Self::Shared(batch) => batch.frames as u64,
        }
    }

    /// Puts its buffer back into the pool.
    pub(super) fn return_buffer(&mut self) {
        if let Self::Own { wire, .. } = self {
            return_write_buffer(mem::take(wire));
        }
    }

    /// Copies its frames out of a buffer of the pool, so that a small frame does not keep a large buffer.
    pub(super) fn compact(&mut self) {
        if let Self::Own {
            wire,
            weight,
            counted,
        } = self
        {
            let batch = Batch::new(Bytes::copy_from_slice(wire), *weight, *counted);
            self.return_buffer();
            *self = Self::Shared(batch);
        }
    }

    /// Returns the piece without its first `skipped` frames. The piece has more frames than that.
    pub(super) fn without_first(mut self, skipped: u64) -> Self {
        if skipped == 0 {
            return self;
        }
        self.compact();
        let Self::Shared(mut batch) = self else {
            return self;
        };
        for _ in 0..skipped {
            let length = FrameHeader::frame_len(&batch.wire).unwrap_or_default();
            let frame = batch.wire.split_to(length.min(batch.wire.len()));
            let content = FrameHeader::of(&frame).map_or(0, |header| frame.len() - header.len());
            batch.weight = batch.weight.saturating_sub(content + FRAME_WEIGHT);
            batch.frames -= 1;
        }
        Self::Shared(batch)
    }

    /// Returns a piece with the same bytes, for the socket that has to complete it.
    pub(super) fn copy(&self) -> Self {
        match self {
            Self::Own {
                wire,
                weight,
                counted,
            } => Self::Shared(Batch::new(Bytes::copy_from_slice(wire), *weight, *counted)),
            Self::Content {
                kind,
                bytes,
                is_counted,
            } => Self::Content {
                kind: *kind,
                bytes: bytes.clone(),
                is_counted: *is_counted,
            },
            Self::Shared(batch) => Self::Shared(batch.clone()),
        }
    }
}
