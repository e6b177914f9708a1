//! Events that go to the other nodes.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use indexmap::IndexMap;
use zocket_layers::{
    Audience, ClientId, Effect, Event, Hub, Target,
    hub::{Full, Performed},
    internal::{Broken, is_broken},
};

use super::{
    hub::Cluster,
    node_tag::NodeTag,
    note::weight,
    numbers::Number,
    queue::{Queued, is_full},
    split,
    wire::EventMessage,
};

/// Bytes of a message beside its event, but for a target.
const HEAD: usize = 1 << 10;

/// The part of an event that goes to the subscribers of one subject.
pub(super) struct Part {
    pub(super) subject: Arc<str>,
    /// None for the members of the subject's room.
    pub(super) target: Option<Arc<Target>>,
}

impl Part {
    /// Returns the bytes of its target.
    fn weight(&self) -> usize {
        self.target.as_deref().map_or(0, weight)
    }
}

impl Cluster {
    /// Sends an event to the clients here, and queues it for the other nodes.
    pub(super) fn emit(&self, from: Option<&ClientId>, to: Target, event: Event) -> Result<Performed, Full> {
        let parts = self.parts(&to, &event)?;
        let largest = parts.iter().map(Part::weight).max();
        let Some(largest) = largest else {
            return self.local.perform(from, Effect::Emit { to, event });
        };
        self.check_size(event.weight() + largest)?;
        // A node may have members of several of the rooms. All others receive one part.
        let id = match (&to.audience, parts.len()) {
            (Audience::Rooms(_), 2..) => self.ids.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
        let targets = match &to.audience {
            Audience::Clients(_) => parts.iter().map(Part::weight).sum(),
            // They share it.
            _ => largest,
        };
        let bytes = event.weight() * parts.len() + targets;
        // Reserved before local members receive the event, so that OVERLOADED means that nobody has received it.
        let Some(place) = self.queue.reserve(bytes) else {
            // While the engine is away, delivery to the members here goes on.
            if self.is_connected.load(Ordering::Acquire) {
                if is_broken(Broken::Overload) {
                    self.local.perform(from, Effect::Emit { to, event })?;
                }
                return Err(is_full());
            }
            self.queue.skip(parts.into_iter().map(|part| part.subject));
            return self.local.perform(from, Effect::Emit { to, event });
        };
        let message = EventMessage {
            number: Number::default(),
            id,
            target: None,
            event: event.clone(),
        };
        let performed = self.local.perform(from, Effect::Emit { to, event })?;
        place.send(Queued::Event {
            parts,
            message,
            bytes,
        });
        Ok(performed)
    }

    /// Returns the parts of an event that other nodes receive.
    fn parts(&self, to: &Target, event: &Event) -> Result<Vec<Part>, Full> {
        let shared = || Some(Arc::new(to.clone()));
        Ok(match &to.audience {
            Audience::Everyone => vec![Part {
                subject: self.subjects.everyone.clone(),
                target: shared(),
            }],
            Audience::Rooms(rooms) => {
                let mut seen = HashSet::new();
                let rooms: Vec<_> = rooms.iter().filter(|room| seen.insert(*room)).collect();
                let target = match (rooms.len(), &to.except) {
                    (1, None) => None,
                    _ => shared(),
                };
                let part = |room: &Arc<str>| Part {
                    subject: self.subjects.room(room),
                    target: target.clone(),
                };
                rooms.into_iter().map(part).collect()
            }
            Audience::Clients(clients) => self.parts_for(clients, to, event)?,
            _ => return Err(Full::Unsupported),
        })
    }

    /// Returns the parts of an event to clients: as many for each of their nodes as its messages need.
    fn parts_for(&self, clients: &[ClientId], to: &Target, event: &Event) -> Result<Vec<Part>, Full> {
        let mut nodes: IndexMap<NodeTag, Vec<ClientId>> = IndexMap::new();
        for client in clients {
            nodes
                .entry(NodeTag::of_client(*client))
                .or_default()
                .push(*client);
        }
        // Nobody else has a client of this node.
        nodes.shift_remove(&self.tag());
        let (limit, weight) = (self.message_limit(), event.weight());
        let too_large = |full| match full {
            Full::EventSize { got, .. } => Full::EventSize {
                limit,
                got: weight + got,
            },
            other => other,
        };
        let mut parts = Vec::new();
        for (node, clients) in nodes {
            let subject = self.subjects.clients(node);
            let mut target = Target::clients(clients);
            target.except.clone_from(&to.except);
            let targets = split::targets(&target, limit.saturating_sub(weight)).map_err(too_large)?;
            parts.extend(targets.into_iter().map(|target| Part {
                subject: subject.clone(),
                target: Some(Arc::new(target)),
            }));
        }
        Ok(parts)
    }

    /// Refuses larger events than messages of this size can carry from now on.
    pub(super) fn accept(&self, max_payload: usize) {
        let event = max_payload.saturating_sub(HEAD);
        self.max_payload.store(event, Ordering::Relaxed);
    }

    /// Returns the bytes of content that the engine takes in one message.
    pub(super) fn message_limit(&self) -> usize {
        self.max_payload.load(Ordering::Relaxed)
    }

    /// Checks that the engine takes a message with so many bytes of content.
    pub(super) fn check_size(&self, got: usize) -> Result<(), Full> {
        let limit = self.message_limit();
        match got > limit {
            true => Err(Full::EventSize { limit, got }),
            false => Ok(()),
        }
    }
}
