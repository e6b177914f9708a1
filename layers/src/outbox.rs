//! Where a message notes its effects.

use std::{
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use parking_lot::{Mutex, MutexGuard};
use triomphe::Arc as OnlyStrong;

use crate::{Connection, Effect, Error, audit::Auditor, hub::Full, message::Asked};

/// What a message came with, where it notes its effects, and by which connection they go to the hub. It is in one of
/// three states, and [`FanoutLayer`](crate::FanoutLayer) decides which: *holding* (the first), *passing* or *dropping*.
///
/// Clones share it. A [`fork`](Self::fork) has effects of its own: it is what a retry's attempt gets.
#[derive(Clone)]
pub(crate) struct Outbox(OnlyStrong<Shared>);

struct Shared {
    /// Where the message came from, and its effects go to. Here, so that a message and its contexts share one pointer
    /// to both.
    connection: Connection,
    /// What it asked for: here, so that little has to be moved from stage to stage.
    asked: Asked,
    /// Whose fork this is.
    parent: Option<Outbox>,
    /// A [`Glance`]: most messages end without a look at `state`, whose lock would be taken eight times for each.
    glance: AtomicU8,
    state: Mutex<State>,
}

/// What is known of the state without its lock. It only ever goes on, from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glance {
    /// Holding, and nothing has been noted.
    Fresh,
    /// Passing; nothing has failed, nobody audits.
    Passing,
    /// It stands in `state`.
    Look,
}

struct State {
    way: Way,
    /// What went wrong and no flush has reported yet.
    failure: Option<Error>,
    /// Sees what the hub has taken.
    auditor: Option<Arc<Auditor>>,
}

enum Way {
    /// Effects wait.
    Holding(Vec<Effect>),
    /// Effects are performed as they are noted.
    Passing,
    /// The message failed: effects are dropped, and logged.
    Dropping,
}

impl Outbox {
    /// One in which effects wait.
    pub(crate) fn holding(connection: Connection, asked: Asked) -> Self {
        Self::new(connection, asked, None, Glance::Fresh, State::fresh())
    }

    /// One for its connection's next message. It takes the place of this one, if nobody else has that any more.
    pub(crate) fn next(&mut self, asked: Asked) -> Self {
        match OnlyStrong::get_mut(&mut self.0) {
            Some(shared) => shared.renew(asked),
            None => *self = Self::holding(self.connection().clone(), asked),
        }
        self.clone()
    }

    /// One of no message, whose effects the hub performs at once.
    pub(crate) fn passing(connection: Connection) -> Self {
        let outbox = Self::holding(connection, Asked::default());
        outbox.pass();
        outbox
    }

    fn new(connection: Connection, asked: Asked, parent: Option<Self>, glance: Glance, state: State) -> Self {
        Self(OnlyStrong::new(Shared {
            connection,
            asked,
            parent,
            glance: AtomicU8::new(glance as u8),
            state: Mutex::new(state),
        }))
    }

    /// Whether it holds nothing beyond its own memory: nothing was looked at, and what was asked for is short.
    pub(crate) fn is_bare(&self) -> bool {
        self.glance() != Glance::Look && self.asked().is_short()
    }

    /// The connection that its message came by.
    pub(crate) fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// What its message came with.
    pub(crate) fn asked(&self) -> &Asked {
        &self.0.asked
    }

    /// Whether this is a clone of the other.
    pub(crate) fn is(&self, other: &Self) -> bool {
        OnlyStrong::ptr_eq(&self.0, &other.0)
    }

    fn glance(&self) -> Glance {
        match self.0.glance.load(Ordering::Acquire) {
            0 => Glance::Fresh,
            1 => Glance::Passing,
            _ => Glance::Look,
        }
    }

    /// The state, to look at and to change. From now on it has to be looked at.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock();
        if self.0.glance.swap(Glance::Look as u8, Ordering::AcqRel) == Glance::Passing as u8 {
            state.way = Way::Passing;
        }
        state
    }

    /// One more outbox for one more attempt at the same message, with what was held so far.
    pub(crate) fn fork(&self) -> Self {
        let state = self.lock();
        // Nothing of a passing one is taken back, a failure neither: it stays where it is.
        let (way, failure) = match &state.way {
            Way::Holding(effects) => (
                Way::Holding(effects.clone()),
                state.failure.as_ref().map(Error::retell),
            ),
            Way::Passing => (Way::Passing, None),
            Way::Dropping => (Way::Dropping, None),
        };
        let auditor = state.auditor.clone();
        drop(state);
        let state = State {
            way,
            failure,
            auditor,
        };
        let (connection, asked) = (self.0.connection.clone(), self.0.asked.clone());
        Self::new(connection, asked, Some(self.clone()), Glance::Look, state)
    }

    /// Notes an effect. The hub's refusal is returned; whoever can't return it further [`fail`](Self::fail)s.
    pub(crate) fn note(&self, effect: Effect) -> Result<(), Full> {
        if self.glance() == Glance::Passing {
            return self.perform_one(None, effect);
        }
        let mut state = self.lock();
        match &mut state.way {
            Way::Holding(effects) => effects.push(effect),
            Way::Passing => {
                let auditor = state.auditor.clone();
                drop(state);
                return self.perform_one(auditor.as_deref(), effect);
            }
            Way::Dropping => {
                let client = self.0.connection.client_id();
                tracing::warn!(%client, ?effect, "dropped: the message that noted it has failed");
            }
        }
        Ok(())
    }

    /// [`note`](Self::note) for whoever can't hand the refusal on.
    pub(crate) fn note_or_fail(&self, effect: Effect) {
        if let Err(full) = self.note(effect) {
            self.fail(full.into());
        }
    }

    /// Has the effects of this message seen by what `auditor` makes of the one that sees them so far.
    pub(crate) fn audit(&self, auditor: impl FnOnce(Option<Arc<Auditor>>) -> Auditor) {
        let mut state = self.lock();
        state.auditor = Some(Arc::new(auditor(state.auditor.take())));
    }

    /// Performs effects that were taken from this outbox. What the hub can't take is its failure.
    pub(crate) fn perform(&self, effects: &mut Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        let auditor = self.lock().auditor.clone();
        for effect in effects.drain(..) {
            if let Err(full) = self.perform_one(auditor.as_deref(), effect) {
                self.fail(full.into());
            }
        }
    }

    /// Has the hub perform an effect, and has it seen if the hub has taken it.
    fn perform_one(&self, auditor: Option<&Auditor>, effect: Effect) -> Result<(), Full> {
        let (hub, from) = (self.0.connection.hub(), self.0.connection.client_id());
        let Some(auditor) = auditor else {
            return hub.perform(Some(&from), effect);
        };
        hub.perform(Some(&from), effect.clone())?;
        auditor.see(&effect);
        Ok(())
    }

    /// Remembers a failure for the next flush, or for the end of the message. The first one stands.
    pub(crate) fn fail(&self, error: Error) {
        self.lock().failure.get_or_insert(error);
    }

    /// What went wrong since the last call.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        match self.glance() {
            Glance::Fresh | Glance::Passing => None,
            Glance::Look => self.lock().failure.take(),
        }
    }

    /// Lets what waits, and all that follows, go to the hub.
    pub(crate) fn pass(&self) {
        if self.glance() == Glance::Passing || self.pass_fresh() {
            return;
        }
        // Performed under the lock: what a child task notes meanwhile stays behind what was noted before.
        let mut state = self.lock();
        let State {
            way,
            failure,
            auditor,
        } = &mut *state;
        if let Way::Holding(effects) = mem::replace(way, Way::Passing) {
            for effect in effects {
                if let Err(full) = self.perform_one(auditor.as_deref(), effect) {
                    failure.get_or_insert_with(|| full.into());
                }
            }
        }
    }

    /// [`pass`](Self::pass) for one in which nothing has been noted, if it is one.
    fn pass_fresh(&self) -> bool {
        let (fresh, passing) = (Glance::Fresh as u8, Glance::Passing as u8);
        let glance = &self.0.glance;
        glance
            .compare_exchange(fresh, passing, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// [`pass`](Self::pass) for this outbox and those it was forked from, `outermost` the last.
    pub(crate) fn pass_up_to(&self, outermost: &Self) {
        let mut outbox = self;
        loop {
            outbox.pass();
            match &outbox.0.parent {
                Some(parent) if !outbox.is(outermost) => outbox = parent,
                _ => break,
            }
        }
    }

    /// Drops what waits and all that follows. A passing outbox goes on passing.
    pub(crate) fn drop_held(&self) {
        if self.glance() == Glance::Passing {
            return;
        }
        let mut state = self.lock();
        if let Way::Holding(effects) = &state.way {
            if !effects.is_empty() {
                let client = self.0.connection.client_id();
                tracing::debug!(%client, count = effects.len(), "effects dropped: their message has failed");
            }
            state.way = Way::Dropping;
        }
    }

    /// Takes what waits, on success. What waits where this was forked from is either a copy of it or a lost
    /// attempt's: it goes.
    pub(crate) fn take_held(&self) -> Vec<Effect> {
        let mut parent = self.0.parent.as_ref();
        while let Some(outbox) = parent {
            outbox.forget_own();
            parent = outbox.0.parent.as_ref();
        }
        self.take_own()
    }

    fn take_own(&self) -> Vec<Effect> {
        if self.glance() != Glance::Look {
            return Vec::new();
        }
        match &mut self.lock().way {
            Way::Holding(effects) => mem::take(effects),
            Way::Passing | Way::Dropping => Vec::new(),
        }
    }

    fn forget_own(&self) {
        let mut state = self.lock();
        if let Way::Holding(effects) = &mut state.way {
            effects.clear();
            state.failure = None;
        }
    }

    /// Looks at what waits.
    pub(crate) fn with_held<R>(&self, look: impl FnOnce(&[Effect]) -> R) -> R {
        if self.glance() != Glance::Look {
            return look(&[]);
        }
        match &self.lock().way {
            Way::Holding(effects) => look(effects),
            Way::Passing | Way::Dropping => look(&[]),
        }
    }

    /// Whether it is passing, and nothing is left to do: nothing has failed.
    pub(crate) fn is_through(&self) -> bool {
        self.glance() == Glance::Passing
    }

    /// Whether effects wait here, so that limits have to be counted with them.
    pub(crate) fn is_holding(&self) -> bool {
        match self.glance() {
            Glance::Fresh => true,
            Glance::Passing => false,
            Glance::Look => matches!(self.lock().way, Way::Holding(_)),
        }
    }
}

impl State {
    const fn fresh() -> Self {
        Self {
            way: Way::Holding(Vec::new()),
            failure: None,
            auditor: None,
        }
    }
}

impl Shared {
    /// Makes it that of another message.
    fn renew(&mut self, asked: Asked) {
        // Without a look at the state, nothing was noted in it.
        if *self.glance.get_mut() == Glance::Look as u8 {
            self.tell_failure();
            *self.state.get_mut() = State::fresh();
        }
        *self.glance.get_mut() = Glance::Fresh as u8;
        self.asked = asked;
    }

    /// What went wrong and was not reported by then has nobody left to report it to but the log.
    fn tell_failure(&mut self) {
        if let Some(error) = &self.state.get_mut().failure {
            tracing::warn!(%error, "not sent, and nobody was told");
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.tell_failure();
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.lock().way {
            Way::Holding(effects) => f.debug_tuple("Holding").field(effects).finish(),
            Way::Passing => f.write_str("Passing"),
            Way::Dropping => f.write_str("Dropping"),
        }
    }
}
