//! Delivery of an event, which a hub between nodes passes on beside the event's frame.

use super::{
    delivery::{Delivery, KeyedDelivery},
    event::Event,
};

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
    use std::hash::Hash;

    use schemars::JsonSchema;
    use serde::Serialize;

    use super::*;
    use crate::{
        effect::Outgoing,
        protocol::{Form, RawPayload},
    };

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
