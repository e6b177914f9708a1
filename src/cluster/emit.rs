//! Events that go to the other nodes.

use std::{collections::HashSet, sync::atomic::Ordering};

use zocket_layers::{
    Audience, ClientId, Effect, Event, Hub, Target,
    hub::{Full, Performed},
    internal::{Broken, is_broken},
};

use super::{
    hub::Cluster,
    note::weight,
    numbers::Number,
    queue::{Queued, is_full},
    wire::EventMessage,
};

/// Bytes of a message beside its event, but for a target.
const HEAD: usize = 1 << 10;

impl Cluster {
    /// Sends an event to the clients here, and queues it for the other nodes.
    pub(super) fn emit(&self, from: Option<&ClientId>, to: Target, event: Event) -> Result<Performed, Full> {
        let (subjects, is_numbered) = match &to.audience {
            Audience::Everyone => (vec![self.subjects.everyone.clone()], true),
            Audience::Rooms(rooms) => {
                let mut seen = HashSet::new();
                let rooms = rooms.iter().filter(|room| seen.insert(*room));
                (rooms.map(|room| self.subjects.room(room)).collect(), true)
            }
            Audience::Clients(clients) => {
                let mut seen: HashSet<_> = self
                    .clients_here(&Target::clients(clients.iter().copied()))
                    .into_iter()
                    .collect();
                let elsewhere = clients.iter().filter(|client| seen.insert(**client));
                (
                    elsewhere.map(|client| self.subjects.client(client)).collect(),
                    false,
                )
            }
            _ => return Err(Full::Unsupported),
        };
        if subjects.is_empty() {
            return self.local.perform(from, Effect::Emit { to, event });
        }
        let is_for_subject = match to.audience {
            Audience::Clients(_) => true,
            Audience::Rooms(_) => subjects.len() == 1,
            _ => false,
        };
        let is_plain = is_for_subject && to.except.is_none();
        let id = match is_plain || subjects.len() == 1 {
            true => 0,
            false => self.ids.fetch_add(1, Ordering::Relaxed),
        };
        let message = EventMessage {
            number: Number::default(),
            id,
            target: (!is_plain).then(|| to.clone()),
            event: event.clone(),
        };
        let target = if is_plain { 0 } else { weight(&to) };
        self.check_size(event.weight() + target)?;
        let bytes = event.weight() * subjects.len() + target;
        // Reserved before local members receive the event, so that OVERLOADED means that nobody has received it.
        let Some(place) = self.queue.reserve(bytes) else {
            // While the engine is away, delivery to the members here goes on.
            if self.is_connected.load(Ordering::Acquire) {
                if is_broken(Broken::Overload) {
                    self.local.perform(from, Effect::Emit { to, event })?;
                }
                return Err(is_full());
            }
            if is_numbered {
                self.queue.skip(subjects);
            }
            return self.local.perform(from, Effect::Emit { to, event });
        };
        let performed = self.local.perform(from, Effect::Emit { to, event })?;
        place.send(Queued::Event {
            subjects,
            is_numbered,
            message,
            bytes,
        });
        Ok(performed)
    }

    /// Refuses larger events than messages of this size can carry from now on.
    pub(super) fn accept(&self, max_payload: usize) {
        let event = max_payload.saturating_sub(HEAD);
        self.max_payload.store(event, Ordering::Relaxed);
    }

    /// Checks that the engine takes a message with so many bytes of content.
    pub(super) fn check_size(&self, got: usize) -> Result<(), Full> {
        let limit = self.max_payload.load(Ordering::Relaxed);
        match got > limit {
            true => Err(Full::EventSize { limit, got }),
            false => Ok(()),
        }
    }
}
