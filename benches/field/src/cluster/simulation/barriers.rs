//! Barriers, message by message: nodes whose clients join rooms, the question of each node, the others' answers, and the queues
//! that these wait in.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Busy, Cost, Costs, random::Random};

/// Time for which barriers are simulated, in seconds.
const LENGTH: f64 = 2.0;
/// Joins before this time do not count.
const WARM_UP: f64 = 0.5;
/// Time of a message on the network, between a node and NATS, in seconds.
const NETWORK: f64 = 100e-6;
/// Time after which a barrier is given up, in seconds.
const PATIENCE: f64 = 2.0;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) nodes: usize,
    /// Nodes that answer a question.
    pub(crate) answers: usize,
    /// Joins that subscribe, for each node and second.
    pub(crate) openings: f64,
    /// Least time between two barriers of a node, in seconds.
    pub(crate) gather: f64,
    /// Load of a node's receiver by other messages.
    pub(crate) receiver: Busy,
    /// The same of NATS.
    pub(crate) broker: Busy,
    /// Processors of NATS.
    pub(crate) broker_cores: f64,
    pub(crate) seed: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Barriers {
    /// Questions of all nodes for each second.
    pub(crate) questions: f64,
    pub(crate) asked: u64,
    pub(crate) answered: u64,
    /// Answers that had not arrived at the end.
    pub(crate) waiting: u64,
    /// Joins that ended after the warm-up, and joins that had not ended.
    pub(crate) joined: u64,
    pub(crate) unfinished: u64,
    /// Time until a join is answered, in seconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Barriers that were given up.
    pub(crate) given_up: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Join(usize),
    /// The pause between two barriers is over.
    Ready(usize),
    /// A question of a node arrives at another one.
    Asked {
        from: usize,
        at: usize,
        barrier: u64,
    },
    Answered {
        at: usize,
        barrier: u64,
    },
    GivesUp {
        at: usize,
        barrier: u64,
    },
}

#[derive(Default)]
struct Node {
    /// Times of the joins that no barrier covers yet.
    waiting: Vec<f64>,
    covered: Vec<f64>,
    barrier: u64,
    missing: usize,
    is_open: bool,
    /// Time before which no barrier begins.
    not_before: f64,
    /// Time at which the receiver has handled what has arrived.
    free: f64,
}

struct World {
    setup: Setup,
    /// Costs of a receiver for a question with its answer, and for an answer.
    node_costs: [Cost; 2],
    /// Costs of NATS for a message that it receives, and for one that it sends.
    broker_costs: [Cost; 2],
    nodes: Vec<Node>,
    broker_free: f64,
    events: BinaryHeap<Reverse<(Time, u64)>>,
    scheduled: Vec<Event>,
    spare: Vec<u64>,
    random: Random,
    latencies: Vec<f64>,
    sums: Barriers,
}

/// Nanoseconds, which are ordered.
type Time = u64;

/// Simulates the barriers of all nodes. Without other nodes, a join ends at once.
pub(crate) fn simulate(setup: Setup, costs: &Costs) -> Barriers {
    let mut world = World {
        setup,
        node_costs: [
            Cost {
                loaded: costs.receive.loaded + costs.publish.loaded,
                single: costs.receive.single + costs.publish.single,
            },
            costs.receive,
        ],
        broker_costs: [costs.broker_in, costs.broker_out],
        nodes: (0..setup.nodes).map(|_| Node::default()).collect(),
        broker_free: 0.0,
        events: BinaryHeap::new(),
        scheduled: Vec::new(),
        spare: Vec::new(),
        random: Random::new(setup.seed),
        latencies: Vec::new(),
        sums: Barriers::default(),
    };
    for node in 0..setup.nodes {
        let first = world.random.wait(setup.openings);
        world.at(first, Event::Join(node));
    }
    world.run();
    world.end()
}

impl World {
    fn at(&mut self, time: f64, event: Event) {
        let place = match self.spare.pop() {
            Some(place) => {
                self.scheduled[place as usize] = event;
                place
            }
            None => {
                self.scheduled.push(event);
                self.scheduled.len() as u64 - 1
            }
        };
        self.events.push(Reverse(((time * 1e9) as Time, place)));
    }

    fn run(&mut self) {
        while let Some(Reverse((time, place))) = self.events.pop() {
            let now = time as f64 / 1e9;
            if now >= LENGTH {
                return self.count_waiting(place);
            }
            self.spare.push(place);
            match self.scheduled[place as usize] {
                Event::Join(node) => {
                    self.nodes[node].waiting.push(now);
                    let next = now + self.random.wait(self.setup.openings);
                    self.at(next, Event::Join(node));
                    self.begin(node, now);
                }
                Event::Ready(node) => self.begin(node, now),
                Event::Asked { from, at, barrier } => {
                    let sent = self.handle(at, now, 0);
                    let passed = self.passes(sent + NETWORK, 1);
                    self.at(passed + NETWORK, Event::Answered { at: from, barrier });
                }
                Event::Answered { at, barrier } => {
                    self.sums.answered += 1;
                    let handled = self.handle(at, now, 1);
                    let node = &mut self.nodes[at];
                    if node.is_open && node.barrier == barrier {
                        node.missing -= 1;
                        if node.missing == 0 {
                            self.close(at, handled);
                        }
                    }
                }
                Event::GivesUp { at, barrier } => {
                    if self.nodes[at].is_open && self.nodes[at].barrier == barrier {
                        self.sums.given_up += 1;
                        self.close(at, now);
                    }
                }
            }
        }
    }

    /// Returns the time at which a node's receiver has handled a message.
    fn handle(&mut self, node: usize, now: f64, kind: usize) -> f64 {
        let is_idle = self.nodes[node].free <= now;
        let seconds = self.takes(self.node_costs[kind], is_idle, self.setup.receiver);
        let node = &mut self.nodes[node];
        node.free = node.free.max(now) + seconds;
        node.free
    }

    /// Returns the time at which NATS has sent a message to this many nodes.
    fn passes(&mut self, now: f64, copies: usize) -> f64 {
        let is_idle = self.broker_free <= now;
        let [received, sent] = self.broker_costs;
        let received = self.takes(received, is_idle, self.setup.broker);
        let sent = self.takes(sent, is_idle, self.setup.broker) * copies as f64;
        self.broker_free = self.broker_free.max(now) + (received + sent) / self.setup.broker_cores;
        self.broker_free
    }

    /// Returns the seconds that a message takes a process which has other messages, too. It wakes the process if that is idle.
    fn takes(&mut self, cost: Cost, is_idle: bool, others: Busy) -> f64 {
        let is_single = is_idle && self.random.share() >= others.runs;
        let nanos = if is_single { cost.single } else { cost.loaded };
        nanos / (1.0 - others.needs).max(1e-3) / 1e9
    }

    fn begin(&mut self, from: usize, now: f64) {
        let answers = self.setup.answers.min(self.setup.nodes - 1);
        let node = &mut self.nodes[from];
        if node.is_open || node.waiting.is_empty() {
            return;
        }
        if now < node.not_before {
            let ready = node.not_before;
            // One is enough: joins of the pause find it scheduled.
            if node.waiting.len() == 1 {
                self.at(ready + 1e-9, Event::Ready(from));
            }
            return;
        }
        node.not_before = now + self.setup.gather;
        node.covered = std::mem::take(&mut node.waiting);
        node.barrier += 1;
        (node.is_open, node.missing) = (true, answers);
        let barrier = node.barrier;
        if answers == 0 {
            return self.close(from, now);
        }
        self.sums.asked += answers as u64;
        self.sums.questions += 1.0;
        let sent = self.passes(now + NETWORK, answers) + NETWORK;
        let first = match answers == self.setup.nodes - 1 {
            true => 0,
            false => self.random.below(self.setup.nodes),
        };
        let others = (0..self.setup.nodes).map(|place| (first + place) % self.setup.nodes);
        let others: Vec<usize> = others.filter(|other| *other != from).take(answers).collect();
        for at in others {
            self.at(sent, Event::Asked { from, at, barrier });
        }
        self.at(now + PATIENCE, Event::GivesUp { at: from, barrier });
    }

    fn close(&mut self, at: usize, now: f64) {
        let node = &mut self.nodes[at];
        node.is_open = false;
        let covered = std::mem::take(&mut node.covered);
        let ended = covered.iter().filter(|joined| **joined >= WARM_UP);
        self.latencies.extend(ended.map(|joined| now - joined));
        // What has come meanwhile shares the next barrier, which begins once this one has ended.
        let ready = now.max(node.not_before);
        if !node.waiting.is_empty() {
            self.at(ready + 1e-9, Event::Ready(at));
        }
    }

    /// Counts the messages of barriers that are on their way at the end.
    fn count_waiting(&mut self, last: u64) {
        let places = self.events.drain().map(|Reverse((_, place))| place);
        let waiting = places.chain([last]).filter(|place| {
            matches!(
                self.scheduled[*place as usize],
                Event::Asked { .. } | Event::Answered { .. }
            )
        });
        self.sums.waiting = waiting.count() as u64;
    }

    fn end(mut self) -> Barriers {
        let unfinished: usize = self
            .nodes
            .iter()
            .map(|node| node.waiting.len() + node.covered.len())
            .sum();
        self.latencies.sort_by(f64::total_cmp);
        let quantile = |share: f64| {
            let place = (self.latencies.len().saturating_sub(1) as f64 * share).round() as usize;
            self.latencies.get(place).copied().unwrap_or_default()
        };
        Barriers {
            questions: self.sums.questions / LENGTH,
            joined: self.latencies.len() as u64,
            unfinished: unfinished as u64,
            p50: quantile(0.5),
            p99: quantile(0.99),
            ..self.sums
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Setup, simulate};
    use crate::cluster::simulation::{Busy, Costs};

    fn setup(nodes: usize, openings: f64) -> Setup {
        Setup {
            nodes,
            answers: nodes - 1,
            openings,
            gather: 0.0,
            receiver: Busy::default(),
            broker: Busy::default(),
            broker_cores: 4.0,
            seed: 1,
        }
    }

    #[test]
    fn every_question_is_answered_or_on_its_way() {
        for setup in [setup(2, 10.0), setup(20, 200.0)] {
            let barriers = simulate(setup, &Costs::default());
            assert_eq!(
                barriers.asked,
                barriers.answered + barriers.waiting,
                "{barriers:?}"
            );
            assert!(barriers.questions > 0.0 && barriers.given_up == 0);
        }
    }

    #[test]
    fn a_join_takes_four_passages_of_the_network() {
        let barriers = simulate(setup(2, 5.0), &Costs::default());
        assert!((0.000_4..0.000_8).contains(&barriers.p50), "{barriers:?}");
    }

    #[test]
    fn joins_of_a_node_alone_end_at_once() {
        let barriers = simulate(setup(1, 50.0), &Costs::default());
        assert_eq!((barriers.asked, barriers.unfinished, barriers.p99), (0, 0, 0.0));
        assert!(barriers.joined > 0);
    }

    #[test]
    fn joins_share_barriers_when_they_are_many() {
        let few = simulate(setup(10, 10.0), &Costs::default());
        let many = simulate(setup(10, 5_000.0), &Costs::default());
        assert!(many.questions < 10.0 * 5_000.0 / 2.0, "{many:?}");
        assert!(many.joined > 400 * few.joined / 2, "{many:?}");
        assert!(many.p99 > few.p50);
    }

    #[test]
    fn a_pause_between_barriers_limits_their_number() {
        let limited = Setup {
            gather: 0.02,
            ..setup(10, 1_000.0)
        };
        let barriers = simulate(limited, &Costs::default());
        assert!((400.0..=510.0).contains(&barriers.questions), "{barriers:?}");
        assert!((0.005..0.03).contains(&barriers.p50), "{barriers:?}");
        assert!(barriers.unfinished < 10 * 40);
    }

    #[test]
    fn busy_receivers_delay_joins() {
        let busy = Setup {
            receiver: Busy::of(0.95, 10.0),
            ..setup(30, 300.0)
        };
        let idle = simulate(setup(30, 300.0), &Costs::default());
        assert!(simulate(busy, &Costs::default()).p50 > idle.p50);
    }
}
