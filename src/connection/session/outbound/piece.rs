use std::{mem, ops::Deref};

use bytes::{Buf, Bytes, BytesMut};
use zocket_layers::{Kind, hub::Batch, protocol::FrameHeader};

use crate::connection::buffers::return_write_buffer;

/// Bytes that a frame counts for in addition to its content, because the queue has a cost for each frame.
pub(in crate::connection) const FRAME_WEIGHT: usize = 64;

/// Bytes of small frames that the record keeps in one buffer. An allocation for each would take more memory and time than
/// many of the frames.
const CHUNK: usize = 4 << 10;

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
    /// Whole frames of this connection that were written, and that the record keeps. More can be appended.
    Kept {
        wire: BytesMut,
        weight: usize,
        counted: usize,
    },
    /// Whole frames that other connections share.
    Shared(Batch),
}

impl Piece {
    /// Returns the bytes to write: the header, if it is not part of the other bytes, and the other bytes.
    pub(in crate::connection) fn header_and_rest(&self) -> (Option<FrameHeader>, &[u8]) {
        match self {
            Self::Own { wire, .. } => (None, wire),
            Self::Kept { wire, .. } => (None, wire),
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
            Self::Own { weight, .. } | Self::Kept { weight, .. } => *weight,
            Self::Shared(batch) => batch.weight,
        }
    }

    /// Returns the number of its frames that have numbers.
    pub(super) fn counted(&self) -> u64 {
        match self {
            Self::Own { counted, .. } | Self::Kept { counted, .. } => *counted as u64,
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
            let kept = Self::Kept {
                wire: BytesMut::from(&wire[..]),
                weight: *weight,
                counted: *counted,
            };
            self.return_buffer();
            *self = kept;
        }
    }

    /// Appends the frames of the next piece, if both are small frames of this connection. Returns true if it has.
    pub(super) fn append(&mut self, next: &Self) -> bool {
        let (
            Self::Kept {
                wire,
                weight,
                counted,
            },
            Self::Own { wire: more, .. },
        ) = (self, next)
        else {
            return false;
        };
        // More bytes are worth an allocation of their own, and no second copy.
        let fits = more.len() <= CHUNK / 8 && wire.len() + more.len() <= CHUNK;
        if fits {
            if wire.len() > CHUNK / 8 && wire.capacity() - wire.len() < more.len() {
                wire.reserve(CHUNK - wire.len());
            }
            wire.extend_from_slice(more);
            *weight += next.weight();
            *counted += next.counted() as usize;
        }
        fits
    }

    /// Drops the first `skipped` frames, if the record keeps them in a buffer with others. The piece has more frames than
    /// that. Returns the number of frames that were dropped.
    pub(super) fn drop_kept(&mut self, skipped: u64) -> u64 {
        let Self::Kept {
            wire,
            weight,
            counted,
        } = self
        else {
            return 0;
        };
        *weight = weight.saturating_sub(skip(wire, skipped));
        *counted -= skipped as usize;
        skipped
    }

    /// Returns the piece without its first `skipped` frames. The piece has more frames than that.
    pub(super) fn without_first(mut self, skipped: u64) -> Self {
        if skipped == 0 {
            return self;
        }
        self.compact();
        if let Self::Shared(batch) = &mut self {
            batch.weight = batch.weight.saturating_sub(skip(&mut batch.wire, skipped));
            batch.frames -= skipped as usize;
        }
        self.drop_kept(skipped);
        self
    }

    /// Returns a piece with the same bytes, for the socket that has to complete it.
    pub(super) fn copy(&self) -> Self {
        match self {
            Self::Own {
                wire,
                weight,
                counted,
            } => Self::Shared(Batch::new(Bytes::copy_from_slice(wire), *weight, *counted)),
            Self::Kept {
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

/// Drops the first frames of a buffer of whole frames. Returns their weight.
fn skip(wire: &mut (impl Buf + Deref<Target = [u8]>), frames: u64) -> usize {
    let mut weight = 0;
    for _ in 0..frames {
        let length = FrameHeader::frame_len(wire).unwrap_or_default().min(wire.len());
        let content = FrameHeader::of(&wire[..length]).map_or(0, |header| length - header.len());
        weight += content + FRAME_WEIGHT;
        wire.advance(length);
    }
    weight
}
