//! Costs for the simulation, from the measured figures.

use super::{
    deliveries,
    deployment::Kind,
    rooms,
    simulation::{Cost, Costs},
};

impl Default for Costs {
    /// Costs of an earlier run, rounded.
    fn default() -> Self {
        let cost = |loaded, single| Cost { loaded, single };
        Self {
            publish: cost(2_100.0, 43_000.0),
            receive: cost(3_500.0, 50_000.0),
            broker_in: cost(1_300.0, 58_000.0),
            broker_out: cost(750.0, 17_000.0),
            delivery: 260.0,
            connection_bytes: 3_560.0,
            room_bytes: 5_340.0,
            broker_bytes: 650.0,
        }
    }
}

/// Members of the room that a message's costs are taken from. The fewer they are, the more of the cost is the message's.
pub(crate) const SMALL: usize = 10;

impl Costs {
    /// Derives the costs from a room under load and one with single messages. Those that the figures lack are the default's.
    pub(crate) fn of(
        [loaded, single]: [&[deliveries::Row]; 2],
        large: &[deliveries::Row],
        memory: &[rooms::Row],
    ) -> Self {
        let mut costs = Self::default();
        if let (Some(loaded), Some(single)) = (of_messages(loaded), of_messages(single)) {
            let cost = |at: usize| Cost {
                loaded: loaded[at],
                single: single[at].max(loaded[at]),
            };
            (costs.publish, costs.receive) = (cost(0), cost(1));
            (costs.broker_in, costs.broker_out) = (cost(2), cost(3));
        }
        if let Some(alone) = large.iter().find(|row| row.kind == Kind::Alone) {
            costs.delivery = alone.nodes.median;
        }
        let row = |kind| memory.iter().find(|row| row.kind == kind);
        if let (Some(alone), Some(one)) = (row(Kind::Alone), row(Kind::Nats(1))) {
            let (alone, one) = (alone.bytes(), one.bytes());
            (costs.connection_bytes, costs.room_bytes) = (one[0], one[1] - alone[1]);
        }
        if let Some(two) = row(Kind::Nats(2)) {
            let grown = |[first, _, last]: [u64; 3]| last.saturating_sub(first) as f64;
            costs.broker_bytes = grown(two.broker) / grown(two.subscriptions).max(1.0);
        }
        costs
    }
}

/// Returns the nanoseconds of a message at its sender, at a receiver, and at NATS when it arrives and when it is sent. One node
/// over NATS has no receiver, and three nodes have two.
fn of_messages(rows: &[deliveries::Row]) -> Option<[f64; 4]> {
    let row = |kind| rows.iter().find(|row| row.kind == kind);
    let (alone, one, three) = (row(Kind::Alone)?, row(Kind::Nats(1))?, row(Kind::Nats(3))?);
    let nanos = [
        one.nodes.median - alone.nodes.median,
        (three.nodes.median - one.nodes.median) / 2.0,
        one.broker.median,
        (three.broker.median - one.broker.median) / 2.0,
    ];
    // Noise can be larger than a cost.
    Some(nanos.map(|nanos| (nanos * SMALL as f64).max(100.0)))
}
