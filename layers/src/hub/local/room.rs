use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use indexmap::IndexMap;
use parking_lot::Mutex;

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
};

/// Limit for the members that the sender of an event notifies itself. The flusher notifies those of larger rooms.
const NOTIFIED_AT_ONCE: usize = 16;

/// A room: what it sends, and who reads it.
#[derive(Debug, Default)]
pub(super) struct Room {
    log: Log,
    /// Weight of all that was ever appended, in bytes.
    appended: AtomicU64,
    /// `appended` as it was when the flusher last began with the first member.
    flushing: AtomicU64,
    /// `appended` up to which the flusher has notified all members.
    flushed: AtomicU64,
    /// True while the flusher has the room in its queue, or notifies its members.
    pub(super) scheduled: AtomicBool,
    members: Mutex<IndexMap<ClientId, Member>>,
}

#[derive(Debug)]
struct Member {
    mailbox: Arc<Mailbox>,
    /// Weight of what this member has read, on the scale of `appended`.
    read: Arc<AtomicU64>,
}

impl Room {
    /// Appends the entry that `entry` makes, of `weight` bytes, and notifies the members if they are few. Returns whether
    /// the flusher has to notify them.
    ///
    /// Of few members none may be behind by more than `backlog` bytes; of many, the flusher.
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
                // One event more is taken than the backlog allows, so that any event can be.
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

    /// Begins to notify the members. Returns the weight that has been appended by now.
    pub(super) fn begin_flush(&self) -> u64 {
        let appended = self.appended.load(Ordering::Acquire);
        self.flushing.store(appended, Ordering::Relaxed);
        appended
    }

    /// Notifies the members from position `from` to `to`. Returns whether there are more.
    pub(super) fn notify_slice(&self, from: usize, to: usize, backlog: u64) -> bool {
        let members = self.members.lock();
        let flushed = self.flushed.load(Ordering::Relaxed);
        for position in from..to.min(members.len()) {
            let Member { mailbox, read } = &members[position];
            // Notified before, and yet so far behind: its task is stuck, and its unread events can't be kept.
            if flushed.saturating_sub(read.load(Ordering::Relaxed)) > backlog.saturating_mul(2) {
                mailbox.overflow();
            } else {
                mailbox.notify();
            }
        }
        members.len() > to
    }

    /// Notes that all members have been notified of this weight.
    pub(super) fn end_flush(&self, appended: u64) {
        self.flushed.store(appended, Ordering::Relaxed);
    }

    /// Returns true if something was appended since.
    pub(super) fn has_more_than(&self, appended: u64) -> bool {
        self.appended.load(Ordering::Acquire) != appended
    }

    /// Lets a member in, to read from here on.
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

    /// Lets a member go. Returns whether the room is empty now.
    pub(super) fn exit(&self, client: &ClientId) -> bool {
        let mut members = self.members.lock();
        if let Some((position, _, _)) = members.swap_remove_full(client)
            && self.scheduled.load(Ordering::Acquire)
            && let Some((_, moved)) = members.get_index(position)
        {
            // The last member stands here now: the flusher may have passed this position already.
            moved.mailbox.notify();
        }
        // A burst's table is given back.
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
