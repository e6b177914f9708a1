//! Delivery of events to clients that read too slowly.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::event::{Event, Outgoing};

/// Delivery of an event to a client that reads too slowly. A client that keeps up receives every event.
///
/// A client is behind while its socket accepts nothing and more than 64 KiB wait for it, or a quarter of
/// [`Limits::outbound`](crate::Limits::outbound) if that is less. The order is that of the promises: each delivery
/// promises more than the one before it.
///
/// ```
/// use std::hash::Hash;
///
/// use schemars::JsonSchema;
/// use serde::Serialize;
/// use zocket_layers::{Delivery, Outgoing};
///
/// /// A member's cursor. Only its newest position is of use.
/// #[derive(Serialize, JsonSchema)]
/// struct Cursor {
///     member: u32,
///     x: f64,
///     y: f64,
/// }
///
/// impl Outgoing for Cursor {
///     const TYPE: &'static str = "board.cursor";
///     const DELIVERY: Delivery = Delivery::Latest;
///
///     fn delivery_key(&self) -> impl Hash {
///         self.member
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Delivery {
    /// The event is dropped while the client is behind.
    Volatile,
    /// The event replaces the one with the same name and the same [key](Outgoing::delivery_key) that waits for the
    /// client. It is delivered in the order in which it was sent, so behind everything that waits.
    Latest,
    /// The event waits. If more than [`Limits::outbound`](crate::Limits::outbound) bytes wait, the connection is closed
    /// with 3002 `slow-reader`.
    #[default]
    Reliable,
}

impl Delivery {
    /// Returns true for the default delivery.
    #[must_use]
    pub const fn is_reliable(&self) -> bool {
        matches!(self, Self::Reliable)
    }

    /// Returns the name that a contract has for it: `volatile`, `latest` or `reliable`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Volatile => "volatile",
            Self::Latest => "latest",
            Self::Reliable => "reliable",
        }
    }
}

/// Delivery of one event, with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum KeyedDelivery {
    Volatile,
    Latest(u64),
    #[default]
    Reliable,
}

impl KeyedDelivery {
    pub(super) fn of<O: Outgoing>(message: &O) -> Self {
        match O::DELIVERY {
            Delivery::Reliable => Self::Reliable,
            Delivery::Volatile => Self::Volatile,
            Delivery::Latest => {
                // Nodes with the same program compute the same hash.
                let mut hasher = DefaultHasher::new();
                message.delivery_key().hash(&mut hasher);
                Self::Latest(hasher.finish())
            }
        }
    }
}

/// Delivery, which travels beside the [`wire`](Self::wire) of an event that a hub passes to another node.
impl Event {
    /// Returns the event's delivery.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match self.keyed_delivery() {
            KeyedDelivery::Volatile => Delivery::Volatile,
            KeyedDelivery::Latest(_) => Delivery::Latest,
            KeyedDelivery::Reliable => Delivery::Reliable,
        }
    }

    /// Returns the hash of the key of a [`Delivery::Latest`] event.
    #[must_use]
    pub fn delivery_key(&self) -> Option<u64> {
        match self.keyed_delivery() {
            KeyedDelivery::Latest(key) => Some(key),
            KeyedDelivery::Volatile | KeyedDelivery::Reliable => None,
        }
    }

    /// Makes the event [`Delivery::Latest`]: it replaces one with the same name and the same key that waits.
    #[must_use]
    pub fn latest(self, key: u64) -> Self {
        self.with_keyed_delivery(KeyedDelivery::Latest(key))
    }

    /// Makes the event [`Delivery::Volatile`]: it does not wait for a client that is behind.
    #[must_use]
    pub fn volatile(self) -> Self {
        self.with_keyed_delivery(KeyedDelivery::Volatile)
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;
    use crate::protocol::{Form, RawPayload};

    #[derive(Serialize, JsonSchema)]
    struct Moved(u32, &'static str);

    impl Outgoing for Moved {
        const TYPE: &'static str = "moved";
        const DELIVERY: Delivery = Delivery::Latest;

        fn delivery_key(&self) -> impl Hash {
            (self.0, self.1)
        }
    }

    #[derive(Serialize, JsonSchema)]
    struct Typing;

    impl Outgoing for Typing {
        const TYPE: &'static str = "typing";
        const DELIVERY: Delivery = Delivery::Volatile;
    }

    #[test]
    fn an_event_has_the_delivery_and_the_key_of_its_type() {
        let key = |moved| Event::of(&moved).unwrap().delivery_key().unwrap();
        assert_eq!(key(Moved(1, "a")), key(Moved(1, "a")));
        assert_ne!(key(Moved(1, "a")), key(Moved(2, "a")));
        assert_ne!(key(Moved(1, "a")), key(Moved(1, "b")));
        let typing = Event::of(&Typing).unwrap();
        assert_eq!(
            (typing.delivery(), typing.delivery_key()),
            (Delivery::Volatile, None)
        );
    }

    #[test]
    fn a_hub_between_nodes_sets_the_delivery_of_an_event_that_arrives() {
        let sent = Event::of(&Moved(1, "a")).unwrap();
        let wire = sent.wire(Form::BASE).clone();
        let arrived = Event::from_wire(Form::BASE, wire).unwrap();
        assert_eq!(arrived.delivery(), Delivery::Reliable);
        let kept = arrived.clone();
        let arrived = arrived.latest(sent.delivery_key().unwrap());
        assert_eq!(arrived.delivery_key(), sent.delivery_key());
        assert_eq!(arrived, sent);
        assert_eq!(kept.delivery(), Delivery::Reliable, "a clone keeps its own");
        let event = Event::from_payload("a", RawPayload::json("1")).unwrap();
        assert_eq!(event.volatile().delivery(), Delivery::Volatile);
    }

    #[test]
    fn deliveries_are_ordered_by_their_promise() {
        assert!(Delivery::Volatile < Delivery::Latest && Delivery::Latest < Delivery::Reliable);
        assert_eq!(
            serde_json::to_value(Delivery::Latest).unwrap(),
            Delivery::Latest.as_str()
        );
    }
}
