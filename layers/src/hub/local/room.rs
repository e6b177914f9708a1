use std::sync::{Arc, atomic::Ordering};

use indexmap::IndexMap;

use crate::{
    client_id::ClientId,
    hub::{
        full::Full,
        mailbox::{
            Mailbox,
            log::{Entry, Log},
            subscription::Subscription,
        },
    },
    sync::{AtomicBool, AtomicU64, IS_MODELLED, Mutex},
};

/// Maximum number of members that the sender of an event notifies itself. The flusher notifies those of larger rooms.
const NOTIFIED_AT_ONCE: usize = if IS_MODELLED { 1 } else { 16 };

/// A room: the log of its events, and its members.
#[derive(Debug, Default)]
pub(super) struct Room {
    log: Log,
    /// Weight of all entries that were ever appended, in bytes.
    appended: AtomicU64,
    /// Value of `appended` when the current round of notifications began, or the last one if none runs. A round begins
    /// with the first member.
    flushing: AtomicU64,
    /// Value of `appended` that the flusher has notified all members of.
    flushed: AtomicU64,
    /// True while the room is in the flusher's queue, or its members are being notified.
    pub(super) scheduled: AtomicBool,
    members: Mutex<IndexMap<ClientId, Member>>,
}

#[derive(Debug)]
struct Member {
    mailbox: Arc<Mailbox>,
    /// Value of `appended` after the last entry that this member has read, or at its entry into the room if it has read
    /// none. `u64::MAX` if it has stopped reading.
    read: Arc<AtomicU64>,
}

impl Room {
    /// Appends the result of `entry`, of `weight` bytes. Notifies the members if they are few. Returns true if the
    /// flusher has to notify them.
    ///
    /// # Errors
    /// [`Full::Backlog`] if a member of few, or the flusher of many, is behind by more than `backlog` bytes.
    pub(super) fn send(
        &self,
        weight: u64,
        backlog: u64,
        entry: impl FnOnce() -> Entry,
    ) -> Result<bool, Full> {
        let members = self.members.lock();
        if members.len() > NOTIFIED_AT_ONCE {
            drop(members);
            let since = self.flushing.load(Ordering::Relaxed);
            self.append(
                weight,
                if self.scheduled.load(Ordering::Relaxed) {
                    since
                } else {
                    u64::MAX
                },
                backlog,
                entry,
            )?;
            return Ok(true);
        }
        let slowest = members
            .values()
            .map(|member| member.read.load(Ordering::Relaxed))
            .min();
        self.append(weight, slowest.unwrap_or(u64::MAX), backlog, entry)?;
        for member in members.values() {
            member.mailbox.notify();
        }
        Ok(false)
    }

    fn append(
        &self,
        weight: u64,
        since: u64,
        backlog: u64,
        entry: impl FnOnce() -> Entry,
    ) -> Result<(), Full> {
        self.log.append(
            || {
                let appended = self.appended.load(Ordering::Relaxed);
                // The event may exceed the backlog if the events before it do not, so that an event of any size can be
                // sent.
                if appended.saturating_sub(since) > backlog {
                    return Err(Full::Backlog {
                        limit: backlog.try_into().unwrap_or(usize::MAX),
                    });
                }
                Ok(entry())
            },
            // Update this after the entry is visible: the flusher assumes that members it notifies later have seen it.
            || {
                self.appended.fetch_add(weight, Ordering::Release);
            },
        )
    }

    /// Records that a round of notifications begins. Returns the weight that was appended so far.
    pub(super) fn begin_flush(&self) -> u64 {
        let appended = self.appended.load(Ordering::Acquire);
        self.flushing.store(appended, Ordering::Relaxed);
        appended
    }

    /// Notifies the members at the positions `from..to`. Returns true if there are more.
    pub(super) fn notify_slice(&self, from: usize, to: usize, backlog: u64) -> bool {
        let members = self.members.lock();
        let flushed = self.flushed.load(Ordering::Relaxed);
        for position in from..to.min(members.len()) {
            let Member { mailbox, read } = &members[position];
            // The member was notified before, and is so far behind that its task must be stuck. Its unread events can't
            // be kept.
            if flushed.saturating_sub(read.load(Ordering::Relaxed)) > backlog.saturating_mul(2) {
                mailbox.overflow();
            } else {
                mailbox.notify();
            }
        }
        members.len() > to
    }

    /// Records that all members were notified of the entries up to this weight.
    pub(super) fn end_flush(&self, appended: u64) {
        self.flushed.store(appended, Ordering::Relaxed);
    }

    /// Returns true if an entry was appended after this weight.
    pub(super) fn has_more_than(&self, appended: u64) -> bool {
        self.appended.load(Ordering::Acquire) != appended
    }

    /// Adds a member, which reads the entries from here on.
    pub(super) fn enter(&self, mailbox: &Arc<Mailbox>) -> Subscription {
        let mut members = self.members.lock();
        let (place, appended) = self.log.end(|| self.appended.load(Ordering::Acquire));
        let read = Arc::new(AtomicU64::new(appended));
        members.insert(
            mailbox.client_id(),
            Member {
                mailbox: mailbox.clone(),
                read: read.clone(),
            },
        );
        Subscription { place, read }
    }

    /// Removes a member. Returns true if the room is empty now.
    pub(super) fn exit(&self, client: &ClientId) -> bool {
        let mut members = self.members.lock();
        if let Some((position, _, _)) = members.swap_remove_full(client)
            && self.scheduled.load(Ordering::Acquire)
            && let Some((_, moved)) = members.get_index(position)
        {
            // The last member was moved to this position, which the flusher may have passed already.
            moved.mailbox.notify();
        }
        // Returns the memory of a burst of members.
        if members.len() < members.capacity() / 4 {
            let half = members.capacity() / 2;
            members.shrink_to(half);
        }
        members.is_empty()
    }

    pub(super) fn members(&self) -> Vec<Arc<Mailbox>> {
        self.members
            .lock()
            .values()
            .map(|member| member.mailbox.clone())
            .collect()
    }

    pub(super) fn size(&self) -> usize {
        self.members.lock().len()
    }
}
