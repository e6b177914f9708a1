//! The servers of the simulated engine, and the pipes between them and the nodes.
//!
//! Each direction of a connection and of a route is a pipe: it keeps the order of what it carries, delays it at random, and
//! loses all of it when it breaks. A server knows the subscriptions of other servers by what their routes have carried, as
//! servers of NATS do. So a subscription that one server knows may be unknown to another for a while.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::mpsc, time::Instant};
use zocket::cluster::EngineEvent;

use super::{
    link::{Conn, Link, Op, Subject},
    random::Random,
    settings::Settings,
};

/// Something that happens at a later time.
#[derive(Debug)]
pub(super) enum Arrival {
    AtServer(Op),
    AtNode(Subject, Bytes),
    Report(EngineEvent),
    /// A server learns that another one has its first, or no longer any, subscription to a subject.
    Interest(Subject, bool),
    Routed(Subject, Bytes),
    Reconnect,
    EndOfStall(Conn),
    EndOfHindrance(Conn),
    EndOfSilence(Duration),
    HealedRoute,
}

/// A pipe. Its items arrive in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pipe {
    ToServer(Conn),
    /// With a subject, if deliveries of different subjects may overtake each other.
    ToNode(Conn, Option<Subject>),
    Reports(Conn),
    Route(usize, usize),
    Repair(Conn),
    Stalls,
}

/// A part of the engine that may be disturbed.
#[derive(Debug)]
pub(super) enum Scope {
    Conn(Conn),
    Route(usize, usize),
}

/// State of the simulated engine.
#[derive(Debug)]
pub struct Servers {
    random: Random,
    settings: Settings,
    pub links: Vec<Link>,
    /// Subscriptions of each server's connections, by subject.
    subscribers: Vec<BTreeMap<Subject, BTreeSet<Conn>>>,
    /// Interest of other servers that a server knows: `known[here][there]`.
    pub(super) known: Vec<Vec<BTreeSet<Subject>>>,
    /// Epoch of each route, odd while it is cut.
    pub(super) routes: BTreeMap<(usize, usize), u64>,
    /// Times in which something was not in order.
    pub(super) disturbances: Vec<(Scope, Instant, Instant)>,
    pipes: BTreeMap<Pipe, Instant>,
    arrivals: BTreeMap<(Instant, u64), (Pipe, u64, Arrival)>,
    count: u64,
    /// Events that arrived, by receiving connection, subject, and id of the sending node.
    pub delivered: BTreeMap<(Conn, Subject, [u8; 16]), u64>,
    /// Digest of all arrivals, which is equal for equal runs.
    pub fingerprint: u64,
}

impl Servers {
    pub fn new(seed: u64, settings: Settings) -> Self {
        let servers = settings.servers;
        Self {
            random: Random::new(seed, 2),
            settings,
            links: Vec::new(),
            subscribers: vec![BTreeMap::new(); servers],
            known: vec![vec![BTreeSet::new(); servers]; servers],
            routes: BTreeMap::new(),
            disturbances: Vec::new(),
            pipes: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            count: 0,
            delivered: BTreeMap::new(),
            fingerprint: 0,
        }
    }

    /// Connects a node to a server.
    pub fn connect(&mut self, server: usize, reports: mpsc::Sender<EngineEvent>) -> Conn {
        let conn = self.links.len();
        self.links.push(Link::new(server, reports));
        self.report(conn, EngineEvent::Connected);
        conn
    }

    /// Performs an operation of a node, which has space for it.
    pub fn perform(&mut self, conn: Conn, op: Op) {
        let link = &mut self.links[conn];
        if !link.is_up {
            link.buffer.push_back(op);
            return;
        }
        match &op {
            Op::Subscribe(subject) => drop(link.subscribed.insert(subject.clone())),
            Op::Unsubscribe(subject) => drop(link.subscribed.shift_remove(subject)),
            Op::Publish(..) => {}
        }
        if !link.is_silent {
            self.carry(
                Pipe::ToServer(conn),
                self.settings.link_delay,
                Arrival::AtServer(op),
            );
        }
    }

    /// Returns the subjects that a connection's server holds a subscription of it for.
    pub fn subscriptions(&self, conn: Conn) -> BTreeSet<Subject> {
        let of_server = &self.subscribers[self.links[conn].server];
        let of_conn = of_server.iter().filter(|(_, conns)| conns.contains(&conn));
        of_conn.map(|(subject, _)| subject.clone()).collect()
    }

    /// Returns the time of the next arrival.
    pub fn next(&self) -> Option<Instant> {
        self.arrivals.keys().next().map(|(at, _)| *at)
    }

    /// Performs the arrivals that are due.
    pub fn advance(&mut self, now: Instant) {
        while let Some(entry) = self.arrivals.first_entry()
            && entry.key().0 <= now
        {
            let (pipe, epoch, arrival) = entry.remove();
            self.arrive(&pipe, epoch, arrival);
        }
    }

    fn arrive(&mut self, pipe: &Pipe, epoch: u64, arrival: Arrival) {
        let is_late = match (pipe, &arrival) {
            (_, Arrival::Report(_) | Arrival::HealedRoute) => false,
            _ => epoch != self.epoch(pipe),
        };
        if is_late {
            return;
        }
        match (pipe, arrival) {
            (_, Arrival::EndOfStall(conn)) => {
                self.links[conn].is_stalled = false;
            }
            (_, Arrival::EndOfHindrance(conn)) => {
                (self.links[conn].drops, self.links[conn].refusals) = (0, 0);
            }
            (Pipe::ToServer(conn), Arrival::AtServer(op)) => self.at_server(*conn, op),
            (Pipe::ToNode(conn, _), Arrival::AtNode(subject, payload)) => {
                self.at_node(*conn, subject, payload)
            }
            // The hub takes its reports, or has ended.
            (Pipe::Reports(conn), Arrival::Report(event)) => drop(self.links[*conn].reports.try_send(event)),
            (Pipe::Repair(conn), Arrival::Reconnect) => self.reconnect(*conn),
            (Pipe::Repair(conn), Arrival::EndOfSilence(away)) => self.cut(*conn, away),
            (Pipe::Route(from, to), Arrival::Interest(subject, is_new)) => {
                let known = &mut self.known[*to][*from];
                match is_new {
                    true => drop(known.insert(subject)),
                    false => drop(known.remove(&subject)),
                }
            }
            (Pipe::Route(_, to), Arrival::Routed(subject, payload)) => {
                self.fan_out(*to, None, &subject, &payload)
            }
            (Pipe::Route(one, other), Arrival::HealedRoute) => self.heal_route(*one, *other),
            (pipe, arrival) => panic!("{arrival:?} on {pipe:?}"),
        }
    }

    fn at_server(&mut self, conn: Conn, op: Op) {
        let server = self.links[conn].server;
        match op {
            Op::Subscribe(subject) => {
                let conns = self.subscribers[server].entry(subject.clone()).or_default();
                if conns.insert(conn) && conns.len() == 1 {
                    self.spread(server, &subject, true);
                }
            }
            Op::Unsubscribe(subject) => self.unsubscribe(conn, &subject),
            Op::Publish(subject, payload) => {
                self.fan_out(server, Some(conn), &subject, &payload);
                for to in 0..self.settings.servers {
                    if to != server && self.known[server][to].contains(&subject) {
                        let routed = Arrival::Routed(subject.clone(), payload.clone());
                        self.carry(Pipe::Route(server, to), self.settings.route_delay, routed);
                    }
                }
            }
        }
    }

    fn unsubscribe(&mut self, conn: Conn, subject: &Subject) {
        let server = self.links[conn].server;
        let Some(conns) = self.subscribers[server].get_mut(subject) else {
            return;
        };
        if conns.remove(&conn) && conns.is_empty() {
            self.subscribers[server].remove(subject);
            self.spread(server, subject, false);
        }
    }

    fn spread(&mut self, server: usize, subject: &Subject, is_new: bool) {
        for to in (0..self.settings.servers).filter(|to| *to != server) {
            let interest = Arrival::Interest(subject.clone(), is_new);
            self.carry(Pipe::Route(server, to), self.settings.route_delay, interest);
        }
    }

    fn fan_out(&mut self, server: usize, from: Option<Conn>, subject: &Subject, payload: &Bytes) {
        let conns = self.subscribers[server].get(subject).cloned().unwrap_or_default();
        for conn in conns.into_iter().filter(|conn| Some(*conn) != from) {
            let own_order = self.settings.overtakes.then(|| subject.clone());
            let delivery = Arrival::AtNode(subject.clone(), payload.clone());
            self.carry(Pipe::ToNode(conn, own_order), self.settings.link_delay, delivery);
        }
    }

    fn at_node(&mut self, conn: Conn, subject: Subject, payload: Bytes) {
        let link = &mut self.links[conn];
        if link.is_silent || !link.subscribed.contains(&subject) {
            return;
        }
        self.fingerprint =
            (self.fingerprint ^ conn as u64 ^ payload.len() as u64).wrapping_mul(0x0000_0100_0000_01B3);
        if link.drops > 0 {
            link.drops -= 1;
            return self.report(conn, EngineEvent::TooSlow);
        }
        // The second byte is the kind of a message, and 1 an event. The sender's id follows.
        if payload[1] == 1 {
            let node = payload[2..18].try_into().unwrap();
            *self.delivered.entry((conn, subject.clone(), node)).or_default() += 1;
        }
        // The hub takes its messages, or has ended.
        drop(
            self.links[conn]
                .reports
                .try_send(EngineEvent::Message { subject, payload }),
        );
    }

    /// Connects a node again. Its client makes the subscriptions, then sends what has waited, as that of NATS does.
    fn reconnect(&mut self, conn: Conn) {
        let link = &mut self.links[conn];
        link.is_up = true;
        link.epoch += 1;
        let subscribed = std::mem::take(&mut link.subscribed);
        let buffer = std::mem::take(&mut link.buffer);
        for op in subscribed.into_iter().map(Op::Subscribe).chain(buffer) {
            self.perform(conn, op);
        }
        self.report(conn, EngineEvent::Connected);
    }

    fn heal_route(&mut self, one: usize, other: usize) {
        let route = (one.min(other), one.max(other));
        *self.routes.entry(route).or_default() += 1;
        for (from, to) in [(one, other), (other, one)] {
            for subject in self.subscribers[from].keys().cloned().collect::<Vec<_>>() {
                self.carry(
                    Pipe::Route(from, to),
                    self.settings.route_delay,
                    Arrival::Interest(subject, true),
                );
            }
        }
    }

    /// Loses what is under way on a connection, and its subscriptions at its server.
    pub(super) fn lose(&mut self, conn: Conn) {
        self.links[conn].epoch += 1;
        for subject in self.subscriptions(conn) {
            self.unsubscribe(conn, &subject);
        }
    }

    pub(super) fn report(&mut self, conn: Conn, event: EngineEvent) {
        self.carry(
            Pipe::Reports(conn),
            Duration::from_millis(50),
            Arrival::Report(event),
        );
    }

    fn epoch(&self, pipe: &Pipe) -> u64 {
        match pipe {
            Pipe::ToServer(conn) | Pipe::ToNode(conn, _) | Pipe::Reports(conn) | Pipe::Repair(conn) => {
                self.links[*conn].epoch
            }
            Pipe::Route(one, other) => {
                let route = (*one.min(other), *one.max(other));
                self.routes.get(&route).copied().unwrap_or_default()
            }
            Pipe::Stalls => 0,
        }
    }

    pub(super) fn carry(&mut self, pipe: Pipe, delay: Duration, arrival: Arrival) {
        if let Pipe::Route(..) = pipe
            && self.epoch(&pipe) % 2 == 1
        {
            return;
        }
        let now = Instant::now();
        let earliest = self.pipes.get(&pipe).copied().unwrap_or(now);
        let at = (now + self.random.time(delay)).max(earliest);
        self.pipes.insert(pipe.clone(), at);
        self.schedule(at, pipe, arrival);
    }

    pub(super) fn carry_for(&mut self, pipe: Pipe, time: Duration, arrival: Arrival) {
        self.schedule(Instant::now() + time, pipe, arrival);
    }

    fn schedule(&mut self, at: Instant, pipe: Pipe, arrival: Arrival) {
        self.count += 1;
        let epoch = self.epoch(&pipe);
        self.arrivals.insert((at, self.count), (pipe, epoch, arrival));
    }
}
