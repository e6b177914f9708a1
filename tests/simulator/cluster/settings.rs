//! The circumstances of a run, which its seed decides.

use std::time::Duration;

use super::random::Random;

#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub nodes: usize,
    pub servers: usize,
    /// True if deliveries of different subjects may overtake each other.
    pub overtakes: bool,
    /// Longest time between a node and its server, in one direction.
    pub link_delay: Duration,
    /// Longest time between two servers.
    pub route_delay: Duration,
    /// Operations that a node's client keeps while its server is away.
    pub buffer: usize,
    /// Bytes of a message.
    pub max_payload: usize,
    pub max_queued_bytes: usize,
    /// Number of steps.
    pub steps: usize,
}

impl Settings {
    pub fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(seed, 0);
        let nodes = 2 + random.below(2);
        let is_strict = random.one_in(3);
        let milliseconds = |random: &mut Random, times: [u64; 3]| Duration::from_millis(random.pick(&times));
        Self {
            nodes,
            servers: if is_strict || random.one_in(2) { 1 } else { nodes },
            overtakes: !is_strict,
            link_delay: milliseconds(&mut random, [0, 10, 80]),
            route_delay: milliseconds(&mut random, [5, 40, 150]),
            buffer: random.pick(&[2, 20, 2_048]),
            max_payload: random.pick(&[2_048, 1 << 20]),
            max_queued_bytes: random.pick(&[1_500, 1 << 20]),
            steps: 20 + random.below(60),
        }
    }

    /// Returns true if a node receives what another one sends in the order in which it was sent.
    pub fn is_strict(&self) -> bool {
        self.servers == 1 && !self.overtakes
    }
}
