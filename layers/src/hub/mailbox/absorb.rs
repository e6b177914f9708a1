//! Pulling for a reader that is behind.

use super::{
    Batch, Mailbox, MailboxState,
    inbox::Inbox,
    log::Clock,
    waiting::{Added, Waiting},
};
use crate::{client_id::ClientId, meter, protocol::Form};

impl Mailbox {
    /// Pulls for a reader that is behind. The unread events leave the logs of their rooms, so that no room keeps them for
    /// this reader, and wait in the mailbox. Each is subject to its [`Delivery`](crate::Delivery): a volatile event is
    /// dropped, and a latest one replaces the one with its name and key that waits.
    ///
    /// Then waiting events are passed to `take`, the first ones first, until they weigh at least `release` bytes. A batch
    /// has one event, or several small reliable ones. The others wait for the next call. [`pull`](Self::pull) and
    /// [`pull_batches`](Self::pull_batches) pass all of them, before the events that are unread then.
    ///
    /// The mailbox overflows if more than [`Limits::outbound`](crate::Limits::outbound) bytes of memory wait, or more than
    /// [`Limits::message`](crate::Limits::message) if that is larger. One event always fits.
    pub fn absorb(&self, release: usize, take: &mut dyn FnMut(Batch)) -> MailboxState {
        let limits = &self.options.limits;
        let (limit, form) = (limits.outbound.max(limits.message), self.options.form);
        let mut unread = Vec::new();
        let state = self.read(|inbox, clock| {
            inbox.absorb(self.client, clock, form);
            inbox.release(release, take);
            if inbox
                .waiting
                .as_ref()
                .is_some_and(|waiting| waiting.exceeds(limit))
            {
                unread = inbox.silence(true);
            }
        });
        drop(unread);
        state
    }

    /// Returns the bytes of memory that the waiting events take at most, after [`absorb`](Self::absorb).
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inbox.lock().waiting()
    }
}

impl Inbox {
    /// Moves the unread events to the waiting ones, according to their deliveries.
    fn absorb(&mut self, client: ClientId, clock: &Clock, form: Form) {
        let waiting = self.waiting.take();
        let mut waiting = waiting.unwrap_or_else(|| Box::new(Waiting::new(form)));
        let (mut dropped, mut replaced) = (0, 0);
        let mut unread = Vec::new();
        self.pull(client, clock, &mut unread);
        for event in unread {
            match waiting.add(event) {
                Added::Kept => {}
                Added::Replaced => replaced += 1,
                Added::Dropped => dropped += 1,
            }
        }
        meter::absorbed(dropped, replaced);
        self.keep_waiting(waiting);
    }

    fn release(&mut self, release: usize, take: &mut dyn FnMut(Batch)) {
        let Some(mut waiting) = self.waiting.take() else {
            return;
        };
        let mut released = 0;
        while released < release
            && let Some(batch) = waiting.take_first()
        {
            released += batch.weight;
            take(batch);
        }
        self.keep_waiting(waiting);
    }

    fn keep_waiting(&mut self, waiting: Box<Waiting>) {
        self.waiting = (!waiting.is_empty()).then_some(waiting);
    }

    fn waiting(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes())
    }
}
