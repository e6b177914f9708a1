//! A simulation of many nodes and connections: sampled rooms, the traffic that follows from them, and barriers message by
//! message. It is deterministic. Costs are measured ones.

mod assumptions;
mod barriers;
mod design;
mod population;
mod random;

pub(crate) use self::{
    assumptions::Assumptions,
    design::{DESIGNS, Design},
};

use self::{
    barriers::{Barriers, Setup, simulate},
    population::{Population, populate},
};

/// Nanoseconds of processor time for a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    /// If its process is busy with an earlier one.
    pub(crate) loaded: f64,
    /// If it wakes its process.
    pub(crate) single: f64,
}

/// Costs of messages, in nanoseconds of processor time for a delivery, and bytes of a node's memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Costs {
    /// An event, or a note, that a node sends to others.
    pub(crate) publish: Cost,
    /// The same that it receives.
    pub(crate) receive: Cost,
    /// A message that NATS receives.
    pub(crate) broker_in: Cost,
    /// A message that it sends.
    pub(crate) broker_out: Cost,
    /// A delivery to a client.
    pub(crate) delivery: f64,
    pub(crate) connection_bytes: f64,
    /// A room's subscription.
    pub(crate) room_bytes: f64,
    /// Bytes of NATS's memory for a subscription.
    pub(crate) broker_bytes: f64,
}

/// Assumed: characters of a room's name, and bytes of its size in a message.
const NAME: f64 = 12.0;
const SIZE_MESSAGE: f64 = NAME + 8.0;
/// Bytes of names in one message of sizes, and what the node counts for each size beside the name.
const SIZES_MESSAGE: f64 = 32_768.0;
const BESIDE_NAME: f64 = 16.0;
/// Assumed: nanoseconds to parse a size of another node and to enter it into a table that no cache holds.
const SIZE_ENTERED: f64 = 500.0;
/// Bytes of a room's entry in the table of a node's sizes, and of its name with its entry in the table of sums. Tables are two
/// thirds full.
const SIZE_ENTRY: f64 = 40.0;
const SUM_ENTRY: f64 = 40.0 + 48.0;
/// Least time between two barriers of a node, in seconds, as `barrier.rs` has it: times the square of the other nodes.
const SPACING: f64 = 2e-6;
/// Bytes of a message.
const EVENT: f64 = 150.0;
const NOTE: f64 = 60.0;

/// Load of a process, as a share of what it can do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Busy {
    /// Share that its messages take if none of them wakes it. From 1 on, it does not keep up.
    pub(crate) needs: f64,
    /// Share for which it runs. The more it has to do, the fewer messages find it idle and wake it.
    pub(crate) runs: f64,
}

impl Busy {
    /// Returns the load of messages, from the seconds that they take each second, and would take if all were single.
    fn of(loaded: f64, single: f64) -> Self {
        // A message wakes the process with the probability that it is idle: runs = loaded + (single - loaded) (1 - runs).
        let runs = single / (1.0 + single - loaded);
        Self {
            needs: loaded,
            runs: if loaded < 1.0 { runs } else { 1.0 },
        }
    }
}

/// Messages of one kind, which NATS receives and sends each second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Messages {
    pub(crate) kind: &'static str,
    pub(crate) received: f64,
    pub(crate) sent: f64,
    /// Of each message.
    pub(crate) bytes: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) design: Design,
    pub(crate) assumptions: Assumptions,
    pub(crate) population: Population,
    pub(crate) barriers: Barriers,
    pub(crate) messages: [Messages; 6],
    /// Bytes of one NATS server, which knows the subscriptions of all.
    pub(crate) broker_memory: f64,
    /// Subscriptions in NATS: of rooms, and of nodes.
    pub(crate) subscriptions: [u64; 2],
    /// Joins that subscribe, for each node and second.
    pub(crate) openings: f64,
    /// Processors that a node uses for deliveries.
    pub(crate) delivering: f64,
    /// Load of the task that receives on the busiest node, and of the one that sends.
    pub(crate) receiver: Busy,
    pub(crate) sender: Busy,
    /// Load of all processors of NATS.
    pub(crate) broker: Busy,
    /// Bytes of a node: of its connections, of its subscriptions, and of the sizes on other nodes.
    pub(crate) memory: [f64; 3],
}

/// Samples the rooms once, and derives the outcome of each design.
pub(crate) fn run(assumptions: Assumptions, designs: &[Design], costs: &Costs) -> Vec<Outcome> {
    let population = populate(&assumptions);
    let outcome = |design: &Design| outcome(assumptions, *design, costs, population);
    designs.iter().map(outcome).collect()
}

fn outcome(assumptions: Assumptions, design: Design, costs: &Costs, population: Population) -> Outcome {
    let nodes = assumptions.nodes as f64;
    let others = nodes - 1.0;
    let connections = assumptions.connections as f64;
    // In equilibrium, a join finds as many members as a leave leaves behind.
    let joins = connections / assumptions.session * assumptions.rooms_per_client;
    let openings = joins * population.singles as f64 / population.memberships as f64 / nodes;
    let direct = connections * assumptions.direct_per_client * others / nodes;
    let announcements = match design.one_announcement {
        true => [nodes, nodes * others],
        false => [population.announcements, population.announcement_copies],
    };
    let changed = match design.sizes_on_demand {
        true => 0.0,
        false => population.changed_sizes / nodes,
    };
    let told = (changed * (NAME + BESIDE_NAME) / SIZES_MESSAGE).ceil() * nodes;
    let messages = |kind, [received, sent]: [f64; 2], bytes| Messages {
        kind,
        received,
        sent,
        bytes,
    };
    let steady = [
        messages("events to rooms", [population.events, population.copies], EVENT),
        messages("events to clients", [direct, direct], EVENT),
        messages("last numbers", announcements, NOTE),
        // Before and after the last numbers.
        messages("signs of life", [2.0 * nodes, 2.0 * nodes * others], NOTE),
        messages(
            "sizes",
            [told, told * others],
            changed * nodes * SIZE_MESSAGE / told.max(1.0),
        ),
    ];
    let mean = steady.iter().map(|it| it.sent).sum::<f64>() / nodes;
    let rooms = population.copies + population.announcement_copies;
    // The busiest node receives that much more of rooms than the mean.
    let excess = match rooms > 0.0 && !design.one_announcement {
        true => population.busiest - rooms / nodes,
        false => 0.0,
    };
    let load = |rate: f64, cost: Cost| Busy::of(rate * cost.loaded / 1e9, rate * cost.single / 1e9);
    let entering = changed * others * SIZE_ENTERED / 1e9;
    let receiver = |rate: f64| {
        let [loaded, single] = [costs.receive.loaded, costs.receive.single].map(|nanos| rate * nanos / 1e9);
        Busy::of(loaded + entering, single + entering)
    };
    let broker_cores = assumptions.servers as f64 * assumptions.server_cores;
    let passages = |messages: &[Messages]| -> Busy {
        let sum = |of: fn(Cost) -> f64| {
            let each = messages.iter().map(|it| {
                let routed = it.sent.min(it.received * (assumptions.servers - 1) as f64);
                (it.received + routed) * of(costs.broker_in) + (it.sent + routed) * of(costs.broker_out)
            });
            each.sum::<f64>() / 1e9 / broker_cores
        };
        Busy::of(sum(|cost| cost.loaded), sum(|cost| cost.single))
    };
    let answers = match design.answers_by_server {
        true => assumptions.servers.min(assumptions.nodes - 1),
        false => assumptions.nodes - 1,
    };
    let barriers = simulate(
        Setup {
            nodes: assumptions.nodes,
            answers,
            openings,
            gather: SPACING * others * others,
            receiver: receiver(mean + excess),
            broker: passages(&steady),
            broker_cores,
            seed: assumptions.seed,
        },
        costs,
    );
    let asked = barriers.questions * answers as f64;
    let [one, two, three, four, five] = steady;
    let six = messages("barriers", [barriers.questions + asked, 2.0 * asked], NOTE);
    let messages = [one, two, three, four, six, five];
    let places = population.places as f64 / nodes;
    // Each node has a subject of its own, one of its clients, that of everyone, and that of all nodes.
    let subscriptions = [population.places, 4 * assumptions.nodes as u64];
    // A node asks, and answers what others ask.
    let notes = 2.0 * asked / nodes;
    Outcome {
        design,
        assumptions,
        population,
        openings,
        delivering: (population.deliveries + connections * assumptions.direct_per_client) / nodes
            * costs.delivery
            / 1e9,
        receiver: receiver(mean + excess + notes),
        sender: load(
            messages.iter().map(|it| it.received).sum::<f64>() / nodes,
            costs.publish,
        ),
        broker: passages(&messages),
        broker_memory: subscriptions.iter().sum::<u64>() as f64 * costs.broker_bytes,
        subscriptions,
        memory: [
            connections / nodes * costs.connection_bytes,
            places * costs.room_bytes,
            match design.sizes_on_demand {
                true => 0.0,
                false => places * others * SIZE_ENTRY + population.rooms as f64 * SUM_ENTRY,
            },
        ],
        barriers,
        messages,
    }
}

impl Outcome {
    /// Returns the messages that NATS receives and sends each second.
    pub(crate) fn total(&self) -> [f64; 2] {
        let sum = |of: fn(&Messages) -> f64| self.messages.iter().map(of).sum();
        [sum(|it| it.received), sum(|it| it.sent)]
    }

    /// Returns the bytes that NATS sends each second.
    pub(crate) fn bytes(&self) -> f64 {
        self.messages.iter().map(|it| it.sent * it.bytes).sum()
    }

    /// Returns the parts that do not keep up.
    pub(crate) fn broken(&self) -> Vec<&'static str> {
        let parts = [
            ("the task that receives", self.receiver),
            ("the task that sends", self.sender),
            ("NATS", self.broker),
        ];
        let broken = parts.into_iter().filter(|(_, load)| load.needs >= 0.95);
        broken.map(|(part, _)| part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Assumptions, Busy, Costs, DESIGNS, run};

    fn assumptions(nodes: usize) -> Assumptions {
        Assumptions {
            nodes,
            connections: 20_000 * nodes as u64,
            ..Assumptions::default()
        }
    }

    #[test]
    fn nats_sends_what_nodes_receive() {
        let [outcome] = &run(assumptions(10), &DESIGNS[..1], &Costs::default())[..] else {
            panic!()
        };
        let kind = |kind: &str| outcome.messages.iter().find(|it| it.kind == kind).unwrap();
        assert_eq!(kind("events to rooms").sent, outcome.population.copies);
        assert_eq!(kind("signs of life").sent, 180.0);
        let sizes = kind("sizes");
        let told = 9.0 * 20.0 * outcome.population.changed_sizes;
        assert!((sizes.sent * sizes.bytes - told).abs() < 1e-6 * told);
        let barriers = kind("barriers");
        assert_eq!(barriers.sent, 18.0 * outcome.barriers.questions);
        assert_eq!(barriers.received, 10.0 * outcome.barriers.questions);
        let memberships = outcome.population.memberships;
        assert!(outcome.openings * 10.0 * 600.0 / 3.0 <= memberships as f64);
        assert_eq!(outcome.subscriptions[1], 40);
    }

    #[test]
    fn wake_ups_fill_a_process_and_do_not_overload_it() {
        let idle = Busy::of(0.000_1, 0.002);
        assert!((0.001_9..0.002).contains(&idle.runs), "{idle:?}");
        let middle = Busy::of(0.2, 4.0);
        assert!((0.8..0.9).contains(&middle.runs), "{middle:?}");
        assert!((Busy::of(0.999, 20.0).runs - 1.0).abs() < 0.001);
        assert_eq!(
            Busy::of(1.5, 20.0),
            Busy {
                needs: 1.5,
                runs: 1.0
            }
        );
    }

    #[test]
    fn a_question_concerns_all_nodes_unless_servers_answer() {
        let messages = |nodes| {
            let outcomes = run(assumptions(nodes), &DESIGNS, &Costs::default());
            [0, 1].map(|design| outcomes[design].messages[4].sent / outcomes[design].barriers.questions)
        };
        assert_eq!((messages(10), messages(40)), ([18.0, 6.0], [78.0, 6.0]));
    }

    #[test]
    fn each_change_takes_messages_or_subscriptions_away() {
        let outcomes = run(assumptions(20), &DESIGNS, &Costs::default());
        for pair in outcomes.windows(2) {
            let [before, after] = [&pair[0], &pair[1]];
            assert!(after.total()[1] <= before.total()[1], "{}", after.design.name);
            let sum = |it: &super::Outcome| it.subscriptions.iter().sum::<u64>();
            assert!(sum(after) <= sum(before), "{}", after.design.name);
            assert!(after.bytes() <= before.bytes(), "{}", after.design.name);
        }
        assert_eq!(
            outcomes,
            run(assumptions(20), &DESIGNS, &Costs::default()),
            "it is deterministic"
        );
    }
}
