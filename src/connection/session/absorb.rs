//! A peer that reads slowly: its events wait in the mailbox, and its socket has to make progress.

use std::time::Instant;

use super::{End, Session};

/// Limit for the bytes in the queue of frames, above which events wait in the mailbox, where they can still be dropped or
/// replaced. It is the size of one large write.
const WATERMARK: usize = 64 << 10;

impl Session {
    /// Records that the socket has refused bytes. `has_progressed` is true if it accepted others since the last call.
    /// Returns true if [`deadline`](Self::deadline) has changed. `now` is called only then.
    pub(in crate::connection) fn record_refusal(
        &mut self,
        has_progressed: bool,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        self.slow_reader.record_refusal(has_progressed, now)
    }

    /// Records that the socket has accepted everything.
    pub(in crate::connection) const fn end_refusal(&mut self) {
        self.slow_reader.end_refusal();
    }

    /// Returns true if events wait in the mailbox, and enough has been written for some of them.
    pub(in crate::connection) fn may_release(&self) -> bool {
        self.slow_reader.waiting > 0 && self.outbound.weight() <= self.watermark() / 2 && !self.is_parked()
    }

    /// Returns true if there may be events that have not been queued.
    pub(in crate::connection) fn has_events(&self) -> bool {
        self.mailbox.has_news() || self.slow_reader.waiting > 0
    }

    /// Queues all events that are sent before what follows: an answer, a pong, or a Close.
    pub(in crate::connection) fn send_all(&mut self) -> Option<End> {
        if self.has_events() {
            return self.send_events();
        }
        None
    }

    /// Returns true if events have to wait in the mailbox: some do, the socket refuses bytes and many are queued, or there
    /// is no socket.
    pub(super) fn is_behind(&self) -> bool {
        self.slow_reader.waiting > 0
            || self.is_parked()
            || (self.slow_reader.is_refused() && self.outbound.weight() > self.watermark())
    }

    /// Moves the unread events to those that wait, and queues of these as many as the watermark allows. Without a socket
    /// none is queued, so that all of them can still be dropped or replaced.
    pub(super) fn send_some(&mut self) -> Option<End> {
        self.absorb(match self.is_parked() {
            true => 0,
            false => self.watermark().saturating_sub(self.outbound.weight()),
        })
    }

    /// Moves the unread events to those that wait, and queues these up to a weight of `release`. Before a Close, queues
    /// all of them.
    pub(super) fn absorb(&mut self, release: usize) -> Option<End> {
        let Self {
            mailbox, outbound, ..
        } = self;
        let mut end = End::of(mailbox.absorb(release, &mut |batch| outbound.push_batch(batch)));
        if matches!(end, Some(End::ByServer(_))) {
            end = End::of(mailbox.absorb(usize::MAX, &mut |batch| outbound.push_batch(batch)));
        }
        self.slow_reader.waiting = mailbox.waiting();
        end
    }

    fn watermark(&self) -> usize {
        WATERMARK.min(self.max_outbound() / 4)
    }

    /// Returns true if the peer reads too slowly: more bytes wait for it than `Limits::outbound` allows. They include
    /// `control_bytes`, the bytes of pongs that wait in the socket.
    pub(in crate::connection) fn is_slow_reader(&self, control_bytes: usize) -> bool {
        self.unwritten(control_bytes) > self.max_outbound()
    }

    /// Returns true if queued frames have to be written before more messages begin. Without this limit, a packet of
    /// many small calls would be answered into memory faster than it is written, and its sender closed as a slow
    /// reader.
    pub(in crate::connection) fn is_on_hold(&self, control_bytes: usize) -> bool {
        self.unwritten(control_bytes) > self.max_outbound() / 2
    }

    fn unwritten(&self, control_bytes: usize) -> usize {
        self.outbound.weight() + self.slow_reader.waiting + control_bytes
    }

    /// Returns the limit for the bytes that wait. One message of the largest size always fits.
    fn max_outbound(&self) -> usize {
        let limits = self.limits();
        limits.outbound.max(limits.message)
    }
}
