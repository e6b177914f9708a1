//! State of the record of frames that a client has not acknowledged.

use std::sync::Arc;

use crate::core::ReplayRange;

/// State of a queue whose client counts frames. Written pieces stay in the queue until they are acknowledged.
pub(super) struct Record {
    /// Index of the first piece that has not been written wholly.
    pub(super) next: usize,
    /// Number of the first counted frame in the queue, or of the next one to be queued.
    pub(super) first: u64,
    /// Number of the last frame of the last piece that was written wholly, on any socket. Frames of a piece that was
    /// written in part count once the client has them.
    pub(super) written: u64,
    /// Number up to which the client has acknowledged, or up to which the record was given up.
    pub(super) floor: u64,
    /// Weight of the pieces that have been written and are kept.
    pub(super) kept: usize,
    /// Pieces from `next` on that are kept already, and are written once more.
    pub(super) replayed: usize,
    /// Limit for `kept`.
    pub(super) limit: usize,
    /// True if nothing is kept until everything is acknowledged.
    pub(super) is_given_up: bool,
    /// The numbers that the client can resume from. Shared with the handshakes.
    pub(super) range: Arc<ReplayRange>,
}

impl Record {
    pub(super) fn new(limit: usize, range: Arc<ReplayRange>) -> Self {
        Self {
            next: 0,
            first: 1,
            written: 0,
            floor: 0,
            kept: 0,
            replayed: 0,
            limit,
            is_given_up: false,
            range,
        }
    }

    /// Numbers frames that are queued.
    pub(super) fn count(&self, frames: u64) {
        self.range.add_sent(frames);
    }

    pub(super) fn publish(&self) {
        match self.is_given_up {
            false => self.range.set_floor(self.floor),
            true => self.range.close(),
        }
    }
}
