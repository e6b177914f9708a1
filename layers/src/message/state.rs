use std::{fmt, iter, mem, sync::Arc};

use futures_util::FutureExt;
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use triomphe::Arc as OnlyStrong;

use super::{
    effects::{Effects, Mode},
    summary::{AtomicSummary, Summary},
};
use crate::{
    connection::Connection,
    effect::{Effect, EffectObserver},
    error::Error,
    hub::{Full, Performed, SharedTicket},
    protocol::Head,
};

/// State that a message shares with its contexts: the head that it arrived with, its connection, and its effects. It
/// has one of three modes, set by [`FanoutLayer`](crate::FanoutLayer): *holding* (initially), *passing* or *dropping*.
///
/// Clones share the state. A [`fork`](Self::fork), made for each attempt of a retry, has its own effects.
#[derive(Clone)]
pub(crate) struct MessageState(OnlyStrong<Shared>);

struct Shared {
    /// Source of the message and destination of its effects. Kept here, so that a message and its contexts share one
    /// pointer.
    connection: Connection,
    /// Kept here, so that stages move a pointer and not the head.
    head: Head,
    /// The state that this one was forked from.
    parent: Option<MessageState>,
    summary: AtomicSummary,
    /// Created when the summary no longer suffices.
    effects: Mutex<Option<Box<Effects>>>,
}

impl MessageState {
    /// Creates a state that holds its effects back.
    pub(crate) fn holding(connection: Connection, head: Head) -> Self {
        Self::new(connection, head, None, Summary::Fresh, None)
    }

    /// Creates a state outside of any message. Its effects are passed to the hub at once.
    pub(crate) fn passing(connection: Connection) -> Self {
        let state = Self::holding(connection, Head::default());
        state.pass();
        state
    }

    fn new(
        connection: Connection,
        head: Head,
        parent: Option<Self>,
        summary: Summary,
        effects: Option<Box<Effects>>,
    ) -> Self {
        Self(OnlyStrong::new(Shared {
            connection,
            head,
            parent,
            summary: AtomicSummary::new(summary),
            effects: Mutex::new(effects),
        }))
    }

    /// Returns the connection that the message arrived on.
    pub(crate) fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// Returns the head that the message arrived with.
    pub(crate) fn head(&self) -> &Head {
        &self.0.head
    }

    /// Returns true if both are clones of one state.
    pub(crate) fn is(&self, other: &Self) -> bool {
        OnlyStrong::ptr_eq(&self.0, &other.0)
    }

    fn summary(&self) -> Summary {
        self.0.summary.get()
    }

    /// Locks the effects for reading and writing. From now on the summary is [`Locked`](Summary::Locked).
    fn lock(&self) -> MappedMutexGuard<'_, Effects> {
        let effects = self.0.effects.lock();
        let was = self.0.summary.set_locked();
        MutexGuard::map(effects, |effects| {
            &mut **effects.get_or_insert_with(|| Box::new(Effects::for_summary(was)))
        })
    }

    /// Creates a state for another attempt at the same message, with a copy of the effects held so far.
    pub(crate) fn fork(&self) -> Self {
        let effects = self.lock();
        // Effects that have passed can't be taken back. Their failure stays with this state, so that it is reported
        // once.
        let (mode, failure) = match &effects.mode {
            Mode::Holding(held) => (
                Mode::Holding(held.clone()),
                effects.failure.as_ref().map(Error::without_source),
            ),
            Mode::Passing => (Mode::Passing, None),
            Mode::Dropping => (Mode::Dropping, None),
        };
        let observer = effects.observer.clone();
        drop(effects);
        let effects = Effects {
            mode,
            failure,
            pending: Vec::new(),
            observer,
        };
        let (connection, head) = (self.0.connection.clone(), self.0.head.clone());
        Self::new(
            connection,
            head,
            Some(self.clone()),
            Summary::Locked,
            Some(Box::new(effects)),
        )
    }

    /// Records an effect: a holding state keeps it, a passing one passes it to the hub, a dropping one drops it.
    /// Returns the hub's refusal. A caller that can't return it calls [`fail`](Self::fail).
    pub(crate) fn record(&self, effect: Effect) -> Result<(), Full> {
        if self.summary() == Summary::Passing {
            return self.perform_one(None, effect).map(|done| self.wait_for(done));
        }
        let mut effects = self.lock();
        match &mut effects.mode {
            Mode::Holding(held) => held.push(effect),
            Mode::Passing => {
                let observer = effects.observer.clone();
                drop(effects);
                let performed = self.perform_one(observer.as_deref(), effect)?;
                self.wait_for(performed);
            }
            Mode::Dropping => {
                let client = self.0.connection.client_id();
                tracing::warn!(%client, ?effect, "effect dropped: its message has failed");
            }
        }
        Ok(())
    }

    /// Calls [`record`](Self::record), for a caller that can't return the refusal.
    pub(crate) fn record_or_fail(&self, effect: Effect) {
        if let Err(full) = self.record(effect) {
            self.fail(full.into());
        }
    }

    /// Sets the observer of this message's effects. `observer` receives the previous one, which it should call too.
    pub(crate) fn observe(
        &self,
        observer: impl FnOnce(Option<Arc<dyn EffectObserver>>) -> Arc<dyn EffectObserver>,
    ) {
        let mut effects = self.lock();
        effects.observer = Some(observer(effects.observer.take()));
    }

    /// Passes effects that were taken from this state to the hub. A refusal becomes the state's failure.
    pub(crate) fn perform(&self, effects: &mut Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        let observer = self.lock().observer.clone();
        for effect in effects.drain(..) {
            match self.perform_one(observer.as_deref(), effect) {
                Ok(performed) => self.wait_for(performed),
                Err(full) => self.fail(full.into()),
            }
        }
    }

    /// Passes an effect to the hub. Calls the observer if the hub accepts it.
    fn perform_one(&self, observer: Option<&dyn EffectObserver>, effect: Effect) -> Result<Performed, Full> {
        let (hub, from) = (self.0.connection.hub(), self.0.connection.client_id());
        let Some(observer) = observer else {
            return hub.perform(Some(&from), effect);
        };
        let performed = hub.perform(Some(&from), effect.clone())?;
        observer.observe(&effect);
        Ok(performed)
    }

    /// Makes the answer and the next flush wait for a pending effect.
    fn wait_for(&self, performed: Performed) {
        if let Performed::Pending(ticket) = performed {
            self.lock().add_pending(ticket);
        }
    }

    /// Returns the ticket of the first pending effect.
    pub(crate) fn first_pending(&self) -> Option<SharedTicket> {
        match self.summary() {
            Summary::Fresh | Summary::Passing => None,
            Summary::Locked => self.lock().pending.first().cloned(),
        }
    }

    /// Removes the ticket of an effect that has resolved.
    pub(crate) fn forget_pending(&self, ticket: &SharedTicket) {
        self.lock().pending.retain(|pending| !pending.ptr_eq(ticket));
    }

    /// Returns the tickets of the effects that are pending in this state and in its ancestors, up to and including
    /// `outermost`.
    pub(crate) fn pending_up_to(&self, outermost: &Self) -> Vec<SharedTicket> {
        let mut pending = Vec::new();
        for state in self.up_to(outermost) {
            if state.summary() == Summary::Locked {
                pending.extend(state.lock().pending.iter().cloned());
            }
        }
        pending
    }

    /// Records a failure for the next flush or for the end of the message. An earlier failure is kept.
    pub(crate) fn fail(&self, error: Error) {
        self.lock().failure.get_or_insert(error);
    }

    /// Takes the first failure since the last call.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        match self.summary() {
            Summary::Fresh | Summary::Passing => None,
            Summary::Locked => self.lock().failure.take(),
        }
    }

    /// Switches to *passing*: passes the held effects to the hub, and later ones as they are recorded.
    pub(crate) fn pass(&self) {
        if self.summary() == Summary::Passing || self.0.summary.try_set_passing() {
            return;
        }
        // The lock is held meanwhile, so that effects recorded by a child task follow those recorded before.
        let mut effects = self.lock();
        let Effects {
            mode,
            failure,
            pending,
            observer,
        } = &mut *effects;
        if let Mode::Holding(held) = mem::replace(mode, Mode::Passing) {
            for effect in held {
                match self.perform_one(observer.as_deref(), effect) {
                    Ok(Performed::Done) => {}
                    Ok(Performed::Pending(ticket)) => pending.push(ticket.shared()),
                    Err(full) => drop(failure.get_or_insert_with(|| full.into())),
                }
            }
        }
    }

    /// Switches this state and its ancestors, up to and including `outermost`, to *passing*, as [`pass`](Self::pass)
    /// does.
    pub(crate) fn pass_up_to(&self, outermost: &Self) {
        self.up_to(outermost).for_each(Self::pass);
    }

    /// Iterates over this state and its ancestors, up to and including `outermost`.
    fn up_to<'a>(&'a self, outermost: &'a Self) -> impl Iterator<Item = &'a Self> {
        iter::successors(Some(self), move |state| {
            state.0.parent.as_ref().filter(|_| !state.is(outermost))
        })
    }

    /// Switches from *holding* to *dropping*: drops the held effects, and later ones. A passing state stays passing.
    pub(crate) fn drop_held(&self) {
        if self.summary() == Summary::Passing {
            return;
        }
        let mut effects = self.lock();
        if let Mode::Holding(held) = &effects.mode {
            if !held.is_empty() {
                let client = self.0.connection.client_id();
                tracing::debug!(%client, count = held.len(), "effects dropped: their message has failed");
            }
            effects.mode = Mode::Dropping;
        }
    }

    /// Takes the held effects after success. The held effects of ancestors are cleared, since they are copies of these
    /// or belong to lost attempts.
    pub(crate) fn take_held(&self) -> Vec<Effect> {
        let mut parent = self.0.parent.as_ref();
        while let Some(state) = parent {
            state.clear_own();
            parent = state.0.parent.as_ref();
        }
        self.take_own()
    }

    fn take_own(&self) -> Vec<Effect> {
        if self.summary() != Summary::Locked {
            return Vec::new();
        }
        match &mut self.lock().mode {
            Mode::Holding(held) => mem::take(held),
            Mode::Passing | Mode::Dropping => Vec::new(),
        }
    }

    fn clear_own(&self) {
        let mut effects = self.lock();
        if let Mode::Holding(held) = &mut effects.mode {
            held.clear();
            effects.failure = None;
        }
    }

    /// Calls `read` with the held effects.
    pub(crate) fn with_held<R>(&self, read: impl FnOnce(&[Effect]) -> R) -> R {
        if self.summary() != Summary::Locked {
            return read(&[]);
        }
        match &self.lock().mode {
            Mode::Holding(held) => read(held),
            Mode::Passing | Mode::Dropping => read(&[]),
        }
    }

    /// Returns true if the state is passing, and nothing has failed or is pending.
    pub(crate) fn is_through(&self) -> bool {
        self.summary() == Summary::Passing
    }

    /// Returns true if effects are held here. Limits then have to count them, since the hub does not know them.
    pub(crate) fn is_holding(&self) -> bool {
        match self.summary() {
            Summary::Fresh => true,
            Summary::Passing => false,
            Summary::Locked => matches!(self.lock().mode, Mode::Holding(_)),
        }
    }
}

/// Logs a failure that was not reported.
impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(effects) = self.effects.get_mut()
            && let Some(error) = &effects.failure
        {
            tracing::warn!(%error, "an effect failed, and no message reported it");
        }
    }
}

impl fmt::Debug for MessageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.lock().mode {
            Mode::Holding(held) => f.debug_tuple("Holding").field(held).finish(),
            Mode::Passing => f.write_str("Passing"),
            Mode::Dropping => f.write_str("Dropping"),
        }
    }
}
