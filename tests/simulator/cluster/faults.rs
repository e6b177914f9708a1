//! Faults of the simulated engine.

use std::time::Duration;

use tokio::time::Instant;
use zocket::cluster::EngineEvent;

use super::{
    link::Conn,
    servers::{Arrival, Pipe, Scope, Servers},
};

impl Servers {
    /// Breaks a connection. The node's client notices, and connects again after this time.
    pub fn cut(&mut self, conn: Conn, away: Duration) {
        let link = &mut self.links[conn];
        if !link.is_up {
            return;
        }
        (link.is_up, link.is_silent) = (false, false);
        self.disturb(Scope::Conn(conn), away);
        self.lose(conn);
        self.report(conn, EngineEvent::Disconnected);
        self.carry_for(Pipe::Repair(conn), away, Arrival::Reconnect);
    }

    /// Breaks a connection for good, as with its process.
    pub fn kill(&mut self, conn: Conn) {
        let link = &mut self.links[conn];
        (link.is_dead, link.is_up, link.is_stalled) = (true, false, false);
        self.disturb(Scope::Conn(conn), Duration::from_secs(1 << 20));
        self.lose(conn);
    }

    /// Loses all that a connection carries, for this time. Then both ends notice the loss of the connection.
    pub fn silence(&mut self, conn: Conn, time: Duration, away: Duration) {
        let link = &mut self.links[conn];
        if link.is_up && !link.is_silent {
            link.is_silent = true;
            link.epoch += 1;
            self.disturb(Scope::Conn(conn), time + away);
            self.carry_for(Pipe::Repair(conn), time, Arrival::EndOfSilence(away));
        }
    }

    /// Lets a node's requests pend for this time.
    pub fn stall(&mut self, conn: Conn, time: Duration) {
        if !self.links[conn].is_stalled {
            self.links[conn].is_stalled = true;
            self.disturb(Scope::Conn(conn), time);
            self.carry_for(Pipe::Stalls, time, Arrival::EndOfStall(conn));
        }
    }

    /// Cuts the route of two servers.
    pub fn cut_route(&mut self, one: usize, other: usize, time: Duration) {
        let route = (one.min(other), one.max(other));
        let epoch = self.routes.entry(route).or_default();
        if one == other || *epoch % 2 == 1 {
            return;
        }
        *epoch += 1;
        self.disturb(Scope::Route(route.0, route.1), time);
        for (here, there) in [(one, other), (other, one)] {
            self.known[here][there].clear();
        }
        self.carry_for(Pipe::Route(one, other), time, Arrival::HealedRoute);
    }

    /// Drops deliveries of a connection, as for a reader that is too slow, or refuses its subscriptions.
    pub fn hinder(&mut self, conn: Conn, drops: usize, refusals: usize) {
        (self.links[conn].drops, self.links[conn].refusals) = (drops, refusals);
        let time = Duration::from_secs(1);
        self.disturb(Scope::Conn(conn), time);
        self.carry_for(Pipe::Stalls, time, Arrival::EndOfHindrance(conn));
    }

    fn disturb(&mut self, scope: Scope, time: Duration) {
        let now = Instant::now();
        self.disturbances.push((scope, now, now + time));
    }

    /// Returns true if everything between two nodes was in order in this time.
    pub fn is_quiet(&self, pair: [Conn; 2], from: Instant, to: Instant) -> bool {
        let servers = pair.map(|conn| self.links[conn].server);
        let route = (servers[0].min(servers[1]), servers[0].max(servers[1]));
        let concerns = |scope: &Scope| match scope {
            Scope::Conn(conn) => pair.contains(conn),
            Scope::Route(one, other) => (*one, *other) == route,
        };
        !self
            .disturbances
            .iter()
            .any(|(scope, begun, ended)| *begun <= to && *ended >= from && concerns(scope))
    }
}
