//! The queue as a record: what is kept until it is acknowledged, and written again on a new socket.

use std::{collections::VecDeque, mem, sync::Arc};

use zocket_layers::DataFrame;

use super::{Outbound, piece::Piece, record::Record};
use crate::core::{ReplayRange, meter};

/// An acknowledgement of a frame that was never sent.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::connection) struct ImpossibleAck;

impl Outbound {
    /// Counts the frames that are queued from now on, and keeps what is written until it is acknowledged. The record is
    /// given up when more than `limit` bytes are kept and one more frame is written.
    pub(in crate::connection) fn keep(&mut self, limit: usize, range: Arc<ReplayRange>) {
        self.record = Some(Box::new(Record::new(limit, range)));
    }

    /// Returns the weight of the frames that have been written and are kept.
    pub(in crate::connection) fn kept(&self) -> usize {
        self.record.as_ref().map_or(0, |record| record.kept)
    }

    /// Returns true if a client that has the frames up to number `n` can be sent all that it lacks.
    pub(in crate::connection) fn can_resume(&self, n: u64) -> bool {
        self.record
            .as_ref()
            .is_some_and(|record| record.range.contains(n))
    }

    /// Records that the client has the frames up to number `n`. An earlier number changes nothing.
    ///
    /// # Errors
    /// [`ImpossibleAck`] if fewer frames were sent.
    pub(in crate::connection) fn acknowledge(&mut self, n: u64) -> Result<(), ImpossibleAck> {
        let Some(record) = &mut self.record else {
            return Ok(());
        };
        let sent = record.range.sent();
        if n > sent {
            return Err(ImpossibleAck);
        }
        if n <= record.floor {
            // The number at which the record was given up may be all that was sent.
            record.is_given_up &= n != sent;
            record.publish();
            return Ok(());
        }
        record.floor = n;
        record.is_given_up &= n != sent;
        while record.next > 0
            && let Some(piece) = self.pieces.front()
            && record.first + piece.counted() <= n + 1
        {
            record.first += piece.counted();
            record.kept -= piece.weight();
            record.next -= 1;
            self.pieces.pop_front();
        }
        if record.next > 0
            && record.first <= n
            && let Some(piece) = self.pieces.front_mut()
        {
            let before = piece.weight();
            record.first += piece.drop_kept(n + 1 - record.first);
            record.kept -= before - piece.weight();
        }
        record.publish();
        Ok(())
    }

    /// Gives the record up: drops what was written, and keeps nothing until everything is acknowledged. Frames that have
    /// not been written stay in the queue.
    pub(in crate::connection) fn forget_kept(&mut self) {
        let Some(record) = &mut self.record else {
            return;
        };
        for piece in self.pieces.drain(..record.next) {
            record.first += piece.counted();
        }
        record.written = record.first - 1;
        // Pieces of a replay that were not written again are no longer kept. They wait like others.
        for piece in self
            .pieces
            .iter()
            .filter(|piece| piece.counted() > 0)
            .take(record.replayed)
        {
            self.weight += piece.weight();
        }
        (record.next, record.kept, record.replayed) = (0, 0, 0);
        record.floor = record.floor.max(record.written);
        record.is_given_up = true;
        record.publish();
    }

    /// Begins again for a new socket: `first`, which has no number, then every frame after number `n`. The caller has
    /// checked [`can_resume`](Self::can_resume).
    pub(in crate::connection) fn rewind(&mut self, n: u64, first: DataFrame) {
        let Some(record) = &mut self.record else {
            return;
        };
        let pieces = mem::take(&mut self.pieces);
        let (mut number, mut kept, mut replayed) = (record.first, record.next, record.replayed);
        (record.kept, record.replayed, record.next) = (0, 0, 0);
        (self.weight, self.written) = (0, 0);
        let mut again = VecDeque::with_capacity(pieces.len());
        for piece in pieces {
            let counted = piece.counted();
            // Frames without a number belonged to the old socket.
            if counted == 0 {
                continue;
            }
            let was_written = kept > 0 || replayed > 0;
            match kept {
                0 => replayed = replayed.saturating_sub(1),
                _ => kept -= 1,
            }
            let after = number + counted;
            if after > n + 1 {
                let piece = piece.without_first((n + 1).saturating_sub(number));
                match was_written {
                    true => {
                        record.kept += piece.weight();
                        record.replayed += 1;
                    }
                    false => self.weight += piece.weight(),
                }
                again.push_back(piece);
            }
            number = after;
        }
        record.first = record.first.max(n + 1);
        record.written = record.written.max(n);
        record.floor = record.floor.max(n);
        record.publish();
        self.pieces = again;
        self.push_first(first);
    }

    /// Moves the cursor behind a piece that has been written.
    pub(super) fn pass_written(&mut self) {
        let Some(record) = &mut self.record else {
            return;
        };
        let Some(piece) = self.pieces.get_mut(record.next) else {
            return;
        };
        let (counted, weight) = (piece.counted(), piece.weight());
        if counted == 0 {
            self.weight -= weight;
            piece.return_buffer();
            self.pieces.remove(record.next);
            return;
        }
        match record.replayed {
            0 => {
                self.weight -= weight;
                record.written += counted;
                if record.kept > record.limit {
                    meter::record_given_up();
                    record.is_given_up = true;
                    record.floor = record.floor.max(record.written);
                    record.publish();
                    for piece in self.pieces.drain(..record.next) {
                        record.first += piece.counted();
                    }
                    (record.next, record.kept) = (0, 0);
                }
                record.kept += weight;
            }
            _ => record.replayed -= 1,
        }
        let last = record.first + counted - 1;
        // Pieces before it have later numbers than the floor, so that this one has too.
        let is_needed = record.next > 0 || (!record.is_given_up && last > record.floor);
        if !is_needed {
            record.kept -= weight;
            record.first += counted;
            record.floor = record.floor.max(last);
            if let Some(mut piece) = self.pieces.remove(record.next) {
                piece.return_buffer();
            }
            return;
        }
        let mut pieces = self.pieces.range_mut(record.next.saturating_sub(1)..);
        let last = if record.next > 0 { pieces.next() } else { None };
        if let Some(piece) = pieces.next() {
            if last.is_some_and(|last| last.append(piece)) {
                piece.return_buffer();
                self.pieces.remove(record.next);
                return;
            }
            piece.compact();
        }
        record.next += 1;
    }

    /// Takes the piece that has been written in part, for the socket that has to complete it.
    pub(in crate::connection) fn copy_begun(&self) -> Self {
        let begun = self.pieces().next().filter(|_| self.is_midway());
        Self {
            pieces: begun.map(Piece::copy).into_iter().collect(),
            written: self.written,
            weight: begun.map_or(0, Piece::weight),
            ..Self::default()
        }
    }
}
