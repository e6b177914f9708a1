use std::sync::{Arc, atomic::Ordering};

use indexmap::IndexMap;

use crate::{
    client_id::ClientId,
    hub::mailbox::{
        Mailbox,
        log::{BatchSpace, Entry, Log},
        subscription::Subscription,
    },
    sync::{AtomicBool, AtomicU64, IS_MODELLED, Mutex},
};

/// Maximum number of members that the sender of an event notifies itself. The flusher notifies those of larger rooms.
const NOTIFIED_AT_ONCE: usize = if IS_MODELLED { 1 } else { 16 };

/// Number of times that a sender disconnects members which are behind. Another sender may use the space first.
const ATTEMPTS: usize = 8;

/// A room: the log of its events, and its members.
#[derive(Debug)]
pub(super) struct Room {
    log: Log,
    /// Maximum footprint of the entries that the log keeps. The rest of the room's backlog is for batches.
    limit: u64,
    batches: Arc<BatchSpace>,
    /// Footprint of all entries that were ever appended, in bytes.
    appended: AtomicU64,
    /// Value of `appended` up to which all members had read at some time. So the log keeps at most the entries after it.
    read: AtomicU64,
    /// Value of `appended` that the flusher has notified all members of.
    flushed: AtomicU64,
    /// True while the room is in the flusher's queue, or its members are being notified.
    pub(super) scheduled: AtomicBool,
    members: Mutex<Members>,
}

type Members = IndexMap<ClientId, Member>;

#[derive(Debug)]
struct Member {
    mailbox: Arc<Mailbox>,
    /// Value of `appended` when the member entered.
    entered: u64,
    /// Value of `appended` after the last entry that this member has read, or at its entry into the room if it has read
    /// none. `u64::MAX` if it has stopped reading.
    read: Arc<AtomicU64>,
}

/// The room's log keeps as much as it may, and no member can be blamed.
pub(super) struct Backlog {
    /// True if the flusher has to notify the members.
    pub(super) is_large: bool,
}

impl Room {
    /// Creates an empty room. Its log and the batches of its log keep at most `backlog` bytes.
    pub(super) fn new(backlog: usize) -> Self {
        let batches = backlog / 4;
        Self {
            log: Log::default(),
            limit: (backlog - batches) as u64,
            batches: Arc::new(BatchSpace::new(batches)),
            appended: AtomicU64::new(0),
            read: AtomicU64::new(0),
            flushed: AtomicU64::new(0),
            scheduled: AtomicBool::new(false),
            members: Mutex::default(),
        }
    }

    /// Appends the result of `entry`. Notifies the members if they are few. Returns true if the flusher has to notify
    /// them.
    ///
    /// If the log has no space, the members that are behind are disconnected, provided that another member keeps up.
    ///
    /// # Errors
    /// [`Backlog`] if no member keeps up, or if a member that is behind has not been notified yet.
    pub(super) fn send(&self, entry: impl Fn() -> Entry) -> Result<bool, Backlog> {
        let mut is_large = false;
        for _ in 0..ATTEMPTS {
            let members = self.members.lock();
            is_large = members.len() > NOTIFIED_AT_ONCE;
            if is_large {
                drop(members);
                if self.append(&entry) {
                    return Ok(true);
                }
            } else if self.append(&entry) {
                for member in members.values() {
                    member.mailbox.notify();
                }
                return Ok(false);
            } else {
                drop(members);
            }
            let behind = self.find_behind().ok_or(Backlog { is_large })?;
            // They may have many unread entries, which are dropped without the lock of the members.
            for mailbox in behind {
                mailbox.overflow();
            }
        }
        Err(Backlog { is_large })
    }

    /// Appends the result of `entry`. Returns false if the log has no space. The event may exceed the limit if the
    /// events before it do not, so that an event of any size can be sent.
    fn append(&self, entry: &impl Fn() -> Entry) -> bool {
        self.log
            .append(
                || {
                    let appended = self.appended.load(Ordering::Relaxed);
                    let kept = appended.saturating_sub(self.read.load(Ordering::Relaxed));
                    if kept > self.limit { Err(()) } else { Ok(entry()) }
                },
                // Update this after the entry is visible: the flusher assumes that members it notifies later have seen
                // it.
                |footprint| {
                    self.appended.fetch_add(footprint, Ordering::Release);
                },
            )
            .is_ok()
    }

    /// Finds out how far all members have read. Returns the members whose unread entries exceed the limit. They are stuck,
    /// since they were notified and another member has read much further. Returns none if there is no such member, or if
    /// one that is behind was not notified: then the events come faster than they can be read.
    fn find_behind(&self) -> Option<Vec<Arc<Mailbox>>> {
        let members = self.members.lock();
        let appended = self.appended.load(Ordering::Acquire);
        // The members were notified of the entries up to here, and had time to read them.
        let told = if members.len() > NOTIFIED_AT_ONCE || self.scheduled.load(Ordering::Acquire) {
            self.flushed.load(Ordering::Relaxed)
        } else {
            appended.saturating_sub(self.limit / 2)
        };
        let (mut behind, mut slowest, mut is_read) = (Vec::new(), appended, false);
        for member in members.values() {
            let read = member.read.load(Ordering::Relaxed);
            // One that has just entered has read nothing.
            is_read |= read >= told && read > member.entered && read != u64::MAX;
            if appended.saturating_sub(read) <= self.limit {
                slowest = slowest.min(read);
            } else if read < told {
                behind.push(member.mailbox.clone());
            } else {
                return None;
            }
        }
        if behind.is_empty() {
            self.read.fetch_max(slowest, Ordering::Relaxed);
        }
        (is_read || behind.is_empty()).then_some(behind)
    }

    /// Returns the footprint of all entries that were appended so far.
    pub(super) fn appended(&self) -> u64 {
        self.appended.load(Ordering::Acquire)
    }

    /// Notifies the members at the positions `from..to`. Returns true if there are more.
    pub(super) fn notify_slice(&self, from: usize, to: usize) -> bool {
        let members = self.members.lock();
        for position in from..to.min(members.len()) {
            members[position].mailbox.notify();
        }
        members.len() > to
    }

    /// Records that all members were notified of the entries up to this footprint.
    pub(super) fn end_flush(&self, appended: u64) {
        self.flushed.store(appended, Ordering::Relaxed);
    }

    /// Returns true if an entry was appended after this footprint.
    pub(super) fn has_more_than(&self, appended: u64) -> bool {
        self.appended() != appended
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
                entered: appended,
                read: read.clone(),
            },
        );
        Subscription {
            place,
            read,
            batches: self.batches.clone(),
        }
    }

    /// Removes a member. A later connection of its id stays. Returns true if the room is empty now.
    pub(super) fn exit(&self, mailbox: &Mailbox) -> bool {
        let mut members = self.members.lock();
        let client = mailbox.client_id();
        let member = members.get(&client);
        if member.is_some_and(|member| std::ptr::eq(&*member.mailbox, mailbox))
            && let Some((position, _, _)) = members.swap_remove_full(&client)
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
