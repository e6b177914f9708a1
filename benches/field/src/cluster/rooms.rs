//! Many small rooms over the nodes: memory, subscriptions, and the cost of a join.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Error, Result,
    args::Args,
    connections::call,
    dial::Client,
    proc,
    stats::Histogram,
    wire::{Speech, Stamp, Template},
};

use super::deployment::{Deployment, Kind, Moment, Spent, place};

const CLIENTS: usize = 2_000;
/// Members of each room. Their clients are on the nodes in turns.
pub(crate) const MEMBERS: usize = 10;
const SETTLE: Duration = Duration::from_millis(1_500);

/// Figures of a deployment. Memory is in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) clients: usize,
    pub(crate) rooms: usize,
    /// Resident memory of the first node: at the start, with the clients, with the rooms.
    pub(crate) node: [u64; 3],
    pub(crate) broker: [u64; 3],
    /// Subscriptions in NATS: at the start, with the clients, with the rooms.
    pub(crate) subscriptions: [u64; 3],
    /// Joins of the first member of a room on a node, one after the other.
    pub(crate) opening: Joins,
    /// The same, in bursts.
    pub(crate) burst: Joins,
    /// Joins of further members, one after the other.
    pub(crate) further: Joins,
}

impl Row {
    /// Returns the bytes of a node for each of its clients, and for each room.
    pub(crate) fn bytes(&self) -> [f64; 2] {
        let [start, with_clients, with_rooms] = self.node.map(|bytes| bytes as f64);
        let nodes = self.kind.nodes();
        [
            (with_clients - start) / (self.clients / nodes) as f64,
            (with_rooms - with_clients) / self.rooms as f64,
        ]
    }
}

/// Joins of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Joins {
    pub(crate) count: u64,
    /// Microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Nanoseconds of processor time for each: of all nodes, and of the broker.
    pub(crate) cost: [f64; 2],
}

impl Joins {
    fn of(latency: &Histogram, count: u64, spent: Spent) -> Self {
        Self {
            count,
            p50: latency.quantile(0.5).as_nanos() as f64 / 1e3,
            p99: latency.quantile(0.99).as_nanos() as f64 / 1e3,
            cost: spent.each(count),
        }
    }
}

/// Returns the number of rooms that are opened at once, by as many of these clients.
const fn burst(clients: usize) -> usize {
    clients / (2 * MEMBERS)
}

/// Measures each deployment, with rooms that are half opened one after the other, and half in bursts.
pub(crate) fn measure(kinds: &[Kind], args: &Args) -> Result<Vec<Row>> {
    kinds.iter().map(|kind| row(*kind, args)).collect()
}

fn row(kind: Kind, args: &Args) -> Result<Row> {
    let deployment = Deployment::start(kind, &place(args))?;
    // A check has as many as a system with few descriptors permits.
    let number = if args.check { CLIENTS / 5 } else { CLIENTS };
    let rooms = args.rooms.next_multiple_of(2 * burst(number));
    let nodes = deployment.nodes.len();
    let mut seen = Vec::new();
    seen.push(Seen::of(&deployment)?);
    let mut clients = Vec::with_capacity(number);
    for client in 0..number {
        let node = &deployment.nodes[client % nodes];
        clients.push(Client::connect(node.addr, kind.speech(), "member")?);
    }
    seen.push(Seen::of(&deployment)?);
    let half = rooms / 2;
    let mut joining = Joining {
        deployment: &deployment,
        clients,
    };
    let opening =
        joining.one_by_one((0..half).flat_map(|room| (0..nodes).map(move |member| (room, member))))?;
    let burst = joining.in_bursts(half..rooms)?;
    let further =
        joining.one_by_one((0..rooms).flat_map(|room| (nodes..MEMBERS).map(move |member| (room, member))))?;
    seen.push(Seen::of(&deployment)?);
    let [start, with_clients, with_rooms] = &seen[..] else {
        return Err(Error::Failed("three moments are measured".into()));
    };
    let moments = [start, with_clients, with_rooms];
    let row = Row {
        kind,
        clients: number,
        rooms,
        node: moments.map(|seen| seen.node),
        broker: moments.map(|seen| seen.broker),
        subscriptions: moments.map(|seen| seen.subscriptions),
        opening,
        burst,
        further,
    };
    crate::say(&format!("{}: {row:?}", kind.name()));
    Ok(row)
}

/// Memory and subscriptions at a moment.
struct Seen {
    node: u64,
    broker: u64,
    subscriptions: u64,
}

impl Seen {
    fn of(deployment: &Deployment) -> Result<Self> {
        thread::sleep(SETTLE);
        let broker = deployment.broker.as_ref();
        Ok(Self {
            node: proc::resident(deployment.nodes[0].pid()),
            broker: broker.map_or(0, |broker| proc::resident(broker.pid())),
            subscriptions: match broker {
                Some(broker) => broker.varz()?.subscriptions,
                None => 0,
            },
        })
    }
}

struct Joining<'a> {
    deployment: &'a Deployment,
    clients: Vec<Client>,
}

impl Joining<'_> {
    fn client(&mut self, room: usize, member: usize) -> &mut Client {
        let number = self.clients.len();
        &mut self.clients[(room * MEMBERS + member) % number]
    }

    fn speech(&self) -> Speech {
        self.deployment.kind.speech()
    }

    fn join(&self, room: usize) -> Template {
        Template::room(self.speech(), "room.join", &format!("room{room}"))
    }

    /// Joins these rooms, each as this member.
    fn one_by_one(&mut self, joins: impl Iterator<Item = (usize, usize)>) -> Result<Joins> {
        let (mut latency, mut count) = (Histogram::default(), 0);
        let before = self.deployment.cpu();
        for (room, member) in joins {
            if proc::interrupted() {
                return Err(Error::Interrupted);
            }
            let join = self.join(room);
            let start = Instant::now();
            call(self.client(room, member), &join)?;
            latency.record(start.elapsed().as_nanos() as u64);
            count += 1;
        }
        Ok(Joins::of(&latency, count, self.spent(&before)))
    }

    /// Opens these rooms on each node, many at once.
    fn in_bursts(&mut self, rooms: std::ops::Range<usize>) -> Result<Joins> {
        let (mut latency, mut count) = (Histogram::default(), 0);
        let before = self.deployment.cpu();
        let rooms: Vec<usize> = rooms.collect();
        for member in 0..self.deployment.nodes.len() {
            for burst in rooms.chunks(burst(self.clients.len())) {
                if proc::interrupted() {
                    return Err(Error::Interrupted);
                }
                let start = Instant::now();
                for room in burst {
                    let mut frame = Vec::new();
                    self.join(*room).write(&mut frame, 0, Stamp::default());
                    self.client(*room, member).send(&frame)?;
                }
                for room in burst {
                    self.client(*room, member).answer()?;
                    latency.record(start.elapsed().as_nanos() as u64);
                    count += 1;
                }
            }
        }
        Ok(Joins::of(&latency, count, self.spent(&before)))
    }

    fn spent(&self, before: &Moment) -> Spent {
        self.deployment.cpu().since(before)
    }
}
