//! Where a message notes its effects.

use std::{fmt, mem, sync::Arc};

use parking_lot::Mutex;

use crate::{ClientId, Effect, Error, Hub, audit::Auditor, hub::Full};

/// Where one message notes its effects. It is in one of three states, and
/// [`FanoutLayer`](crate::FanoutLayer) decides which: *holding* (the first), *passing* or *dropping*.
///
/// Clones share it. A [`fork`](Self::fork) has effects of its own: it is what a retry's attempt gets.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Shared>);

struct Shared {
    /// Whose fork this is.
    parent: Option<Outbox>,
    state: Mutex<State>,
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
    Passing(Arc<dyn Hub>),
    /// The message failed: effects are dropped, and logged.
    Dropping,
}

impl Outbox {
    /// One in which effects wait.
    pub(crate) fn holding() -> Self {
        Self::new(None, Way::Holding(Vec::new()), None, None)
    }

    /// One whose effects the hub performs at once.
    pub(crate) fn passing(hub: Arc<dyn Hub>) -> Self {
        Self::new(None, Way::Passing(hub), None, None)
    }

    fn new(parent: Option<Self>, way: Way, failure: Option<Error>, auditor: Option<Arc<Auditor>>) -> Self {
        Self(Arc::new(Shared {
            parent,
            state: Mutex::new(State {
                way,
                failure,
                auditor,
            }),
        }))
    }

    /// One more outbox for one more attempt at the same message, with what was held so far.
    pub(crate) fn fork(&self) -> Self {
        let state = self.0.state.lock();
        // Nothing of a passing one is taken back, a failure neither: it stays where it is.
        let (way, failure) = match &state.way {
            Way::Holding(effects) => (
                Way::Holding(effects.clone()),
                state.failure.as_ref().map(Error::retell),
            ),
            Way::Passing(hub) => (Way::Passing(hub.clone()), None),
            Way::Dropping => (Way::Dropping, None),
        };
        let auditor = state.auditor.clone();
        drop(state);
        Self::new(Some(self.clone()), way, failure, auditor)
    }

    /// Notes an effect. The hub's refusal is returned; whoever can't return it further [`fail`](Self::fail)s.
    pub(crate) fn note(&self, from: ClientId, effect: Effect) -> Result<(), Full> {
        let mut state = self.0.state.lock();
        match &mut state.way {
            Way::Holding(effects) => effects.push(effect),
            Way::Passing(hub) => {
                let (hub, auditor) = (hub.clone(), state.auditor.clone());
                drop(state);
                return perform(&hub, auditor.as_deref(), from, effect);
            }
            Way::Dropping => {
                tracing::warn!(client = %from, ?effect, "dropped: the message that noted it has failed")
            }
        }
        Ok(())
    }

    /// [`note`](Self::note) for whoever can't hand the refusal on.
    pub(crate) fn note_or_fail(&self, from: ClientId, effect: Effect) {
        if let Err(full) = self.note(from, effect) {
            self.fail(full.into());
        }
    }

    /// Has the effects of this message seen by what `auditor` makes of the one that sees them so far.
    pub(crate) fn audit(&self, auditor: impl FnOnce(Option<Arc<Auditor>>) -> Auditor) {
        let mut state = self.0.state.lock();
        state.auditor = Some(Arc::new(auditor(state.auditor.take())));
    }

    /// Performs effects that were taken from this outbox. What the hub can't take is its failure.
    pub(crate) fn perform(&self, from: ClientId, hub: &Arc<dyn Hub>, effects: &mut Vec<Effect>) {
        if effects.is_empty() {
            return;
        }
        let auditor = self.0.state.lock().auditor.clone();
        for effect in effects.drain(..) {
            if let Err(full) = perform(hub, auditor.as_deref(), from, effect) {
                self.fail(full.into());
            }
        }
    }

    /// Remembers a failure for the next flush, or for the end of the message. The first one stands.
    pub(crate) fn fail(&self, error: Error) {
        self.0.state.lock().failure.get_or_insert(error);
    }

    /// What went wrong since the last call.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.0.state.lock().failure.take()
    }

    /// Lets what waits, and all that follows, go to the hub.
    pub(crate) fn pass(&self, from: ClientId, hub: &Arc<dyn Hub>) {
        // Performed under the lock: what a child task notes meanwhile stays behind what was noted before.
        let mut state = self.0.state.lock();
        let State {
            way,
            failure,
            auditor,
        } = &mut *state;
        if let Way::Holding(effects) = mem::replace(way, Way::Passing(hub.clone())) {
            for effect in effects {
                if let Err(full) = perform(hub, auditor.as_deref(), from, effect) {
                    failure.get_or_insert_with(|| full.into());
                }
            }
        }
    }

    /// [`pass`](Self::pass) for this outbox and those it was forked from, `outermost` the last.
    pub(crate) fn pass_up_to(&self, outermost: &Self, from: ClientId, hub: &Arc<dyn Hub>) {
        let mut outbox = self;
        loop {
            outbox.pass(from, hub);
            match &outbox.0.parent {
                Some(parent) if !Arc::ptr_eq(&outbox.0, &outermost.0) => outbox = parent,
                _ => break,
            }
        }
    }

    /// Drops what waits and all that follows. A passing outbox goes on passing.
    pub(crate) fn drop_held(&self, from: ClientId) {
        let mut state = self.0.state.lock();
        if let Way::Holding(effects) = &state.way {
            if !effects.is_empty() {
                tracing::debug!(client = %from, count = effects.len(), "effects dropped: their message has failed");
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
        match &mut self.0.state.lock().way {
            Way::Holding(effects) => mem::take(effects),
            Way::Passing(_) | Way::Dropping => Vec::new(),
        }
    }

    fn forget_own(&self) {
        let mut state = self.0.state.lock();
        if let Way::Holding(effects) = &mut state.way {
            effects.clear();
            state.failure = None;
        }
    }

    /// Looks at what waits.
    pub(crate) fn with_held<R>(&self, look: impl FnOnce(&[Effect]) -> R) -> R {
        match &self.0.state.lock().way {
            Way::Holding(effects) => look(effects),
            Way::Passing(_) | Way::Dropping => look(&[]),
        }
    }

    /// Whether effects wait here, so that limits have to be counted with them.
    pub(crate) fn is_holding(&self) -> bool {
        matches!(self.0.state.lock().way, Way::Holding(_))
    }
}

/// Has the hub perform an effect, and has it seen if the hub has taken it.
fn perform(
    hub: &Arc<dyn Hub>,
    auditor: Option<&Auditor>,
    from: ClientId,
    effect: Effect,
) -> Result<(), Full> {
    let Some(auditor) = auditor else {
        return hub.perform(Some(&from), effect);
    };
    hub.perform(Some(&from), effect.clone())?;
    auditor.see(&effect);
    Ok(())
}

/// What went wrong and was not reported by then has nobody left to report it to but the log.
impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(error) = &self.state.get_mut().failure {
            tracing::warn!(%error, "not sent, and nobody was told");
        }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.state.lock().way {
            Way::Holding(effects) => f.debug_tuple("Holding").field(effects).finish(),
            Way::Passing(_) => f.write_str("Passing"),
            Way::Dropping => f.write_str("Dropping"),
        }
    }
}
