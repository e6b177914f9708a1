//! Rooms, their members, and the nodes of these: sampled one by one.

use super::{Assumptions, random::Random};

/// Traffic of all rooms, in units for each second, and the subscriptions for them. All sums are over all nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Population {
    pub(crate) rooms: u64,
    pub(crate) memberships: u64,
    /// Members of the largest room.
    pub(crate) largest: u64,
    /// Pairs of a room and a node with members of it: each is a subscription.
    pub(crate) places: u64,
    /// Places with one member. When it joined, the node subscribed.
    pub(crate) singles: u64,
    /// Events that are sent to rooms.
    pub(crate) events: f64,
    /// Events of which another node has members.
    pub(crate) shared: f64,
    /// Copies that a node other than the sender's receives.
    pub(crate) copies: f64,
    /// Deliveries to clients.
    pub(crate) deliveries: f64,
    /// Announcements of the last number of a sequence.
    pub(crate) announcements: f64,
    pub(crate) announcement_copies: f64,
    /// Sizes that have changed on a node, by joins and leaves.
    pub(crate) changed_sizes: f64,
    /// Copies and announcements that the busiest node receives.
    pub(crate) busiest: f64,
}

/// Cumulative shares of the sizes from 2 to the largest. The share of a size falls with a power of it.
fn shares(assumptions: &Assumptions) -> Vec<f64> {
    let mut sum = 0.0;
    let mut shares: Vec<f64> = (2..=assumptions.largest_room)
        .map(|size| {
            sum += (size as f64).powf(-assumptions.exponent);
            sum
        })
        .collect();
    shares.iter_mut().for_each(|share| *share /= sum);
    shares
}

/// Populates the nodes.
pub(crate) fn populate(assumptions: &Assumptions) -> Population {
    // The rooms do not depend on the places of their members.
    let (mut sizes, mut places) = (Random::new(assumptions.seed), Random::new(!assumptions.seed));
    let (shares, nodes) = (shares(assumptions), assumptions.nodes);
    let mut population = Population::default();
    let mut remaining = (assumptions.connections as f64 * assumptions.rooms_per_client) as u64;
    let mut members = vec![0_u32; nodes];
    let mut received = vec![0.0; nodes];
    while remaining > 0 {
        let drawn = sizes.share();
        let size = 2 + shares.partition_point(|share| *share <= drawn) as u64;
        let size = size.min(remaining);
        remaining -= size;
        place(&mut members, size, assumptions, &mut places);
        population.add(&members, size, assumptions, &mut received);
        members.fill(0);
    }
    population.busiest = received.into_iter().fold(0.0, f64::max);
    population
}

fn place(members: &mut [u32], size: u64, assumptions: &Assumptions, random: &mut Random) {
    let home = random.below(members.len());
    for _ in 0..size {
        let node = match random.share() < assumptions.affinity {
            true => home,
            false => random.below(members.len()),
        };
        members[node] += 1;
    }
}

impl Population {
    fn add(&mut self, members: &[u32], size: u64, assumptions: &Assumptions, received: &mut [f64]) {
        let rate = (size as f64 * assumptions.events_per_member).min(assumptions.events_per_room);
        let places = members.iter().filter(|members| **members > 0).count();
        self.rooms += 1;
        self.memberships += size;
        self.largest = self.largest.max(size);
        self.places += places as u64;
        self.singles += members.iter().filter(|members| **members == 1).count() as u64;
        self.events += rate;
        self.deliveries += rate * size as f64;
        // Each second, a node announces the sequence if it has sent an event.
        let announced = |members: u32| 1.0 - (-rate * f64::from(members) / size as f64).exp();
        let announcements: f64 = members.iter().map(|members| announced(*members)).sum();
        self.announcements += announcements;
        // A size is told once a second, however often it has changed.
        let changed = |members: &u32| 1.0 - (-2.0 * f64::from(*members) / assumptions.session).exp();
        self.changed_sizes += members.iter().map(changed).sum::<f64>();
        if places > 1 {
            self.shared += rate;
            self.copies += rate * (places - 1) as f64;
            self.announcement_copies += announcements * (places - 1) as f64;
        }
        for (received, members) in received.iter_mut().zip(members) {
            if *members > 0 {
                *received +=
                    rate * (1.0 - f64::from(*members) / size as f64) + announcements - announced(*members);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Assumptions, Population, populate};

    fn small(nodes: usize, affinity: f64) -> (Assumptions, Population) {
        let assumptions = Assumptions {
            nodes,
            connections: 100_000,
            affinity,
            ..Assumptions::default()
        };
        let population = populate(&assumptions);
        (assumptions, population)
    }

    #[test]
    fn every_membership_has_a_place() {
        let (assumptions, population) = small(10, 0.0);
        let expected = assumptions.connections as f64 * assumptions.rooms_per_client;
        assert_eq!(population.memberships as f64, expected);
        assert!(population.largest <= assumptions.largest_room as u64);
        assert!((population.rooms..=population.memberships).contains(&population.places));
        assert!(population.singles <= population.places);
        let changes = 2.0 * expected / assumptions.session;
        assert!(
            (0.5 * changes..=changes).contains(&population.changed_sizes),
            "{population:?}"
        );
    }

    #[test]
    fn an_event_has_at_most_one_copy_for_each_other_node() {
        let (assumptions, population) = small(10, 0.0);
        assert!(population.shared <= population.events);
        assert!(population.copies >= population.shared);
        assert!(population.copies <= population.shared * (assumptions.nodes - 1) as f64);
        assert!(population.deliveries >= population.events * 2.0);
        let received = population.copies + population.announcement_copies;
        let mean = received / assumptions.nodes as f64;
        assert!((mean..received).contains(&population.busiest), "{population:?}");
    }

    #[test]
    fn a_node_alone_receives_nothing() {
        let (_, population) = small(1, 0.0);
        assert_eq!(
            (
                population.copies,
                population.announcement_copies,
                population.busiest
            ),
            (0.0, 0.0, 0.0)
        );
        assert_eq!(population.places, population.rooms);
        assert!(population.events > 0.0);
    }

    #[test]
    fn affinity_leaves_fewer_places_and_the_same_deliveries() {
        let ((_, spread), (_, near), (_, whole)) = (small(20, 0.0), small(20, 0.8), small(20, 1.0));
        assert!(near.places < spread.places && near.copies < spread.copies);
        assert_eq!((whole.places, whole.copies), (whole.rooms, 0.0));
        assert_eq!((near.deliveries, near.events), (spread.deliveries, spread.events));
        assert_eq!(small(20, 0.8).1, near, "a seed repeats it");
    }
}
