//! Assumptions of the simulation.

/// The app, its clients, and the machines. Rates are for each second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Assumptions {
    pub(crate) nodes: usize,
    pub(crate) connections: u64,
    pub(crate) rooms_per_client: f64,
    /// The share of rooms with a size falls with this power of the size.
    pub(crate) exponent: f64,
    pub(crate) largest_room: usize,
    pub(crate) events_per_member: f64,
    /// Most events of a room.
    pub(crate) events_per_room: f64,
    /// Share of members that are on their room's node. The others are anywhere.
    pub(crate) affinity: f64,
    /// Seconds for which a client stays.
    pub(crate) session: f64,
    /// Events to one client, from any node.
    pub(crate) direct_per_client: f64,
    /// NATS servers.
    pub(crate) servers: usize,
    /// Processors of each.
    pub(crate) server_cores: f64,
    pub(crate) seed: u64,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            nodes: 100,
            connections: 10_000_000,
            rooms_per_client: 3.0,
            exponent: 2.0,
            largest_room: 100_000,
            events_per_member: 1.0 / 600.0,
            events_per_room: 2.0,
            affinity: 0.0,
            session: 600.0,
            direct_per_client: 1.0 / 60.0,
            servers: 3,
            server_cores: 4.0,
            seed: 1,
        }
    }
}
