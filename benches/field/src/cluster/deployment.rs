//! An app as it is deployed: one process, or several nodes with the server between them.

use std::time::Duration;

use crate::{
    Error, Result,
    args::Args,
    connections::call,
    engine::Engine,
    proc::Cpu,
    server::{Peer, Place, Server},
    wire::{Speech, Template},
};

use super::broker::Broker;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Zocket in one process, with the hub within it.
    Alone,
    /// Nodes of Zocket over NATS.
    Nats(usize),
    /// Socket.IO in one process.
    SocketIo,
    /// Nodes of Socket.IO over Redis.
    Redis(usize),
}

impl Kind {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Alone => "Zocket, one process".to_owned(),
            Self::Nats(nodes) => format!("Zocket, NATS, {nodes} {}", noun(nodes)),
            Self::SocketIo => "Socket.IO, one process".to_owned(),
            Self::Redis(nodes) => format!("Socket.IO, Redis, {nodes} {}", noun(nodes)),
        }
    }

    pub(crate) fn nodes(self) -> usize {
        match self {
            Self::Alone | Self::SocketIo => 1,
            Self::Nats(nodes) | Self::Redis(nodes) => nodes,
        }
    }

    fn peer(self) -> Peer {
        match self {
            Self::Alone | Self::Nats(_) => Peer::Zocket,
            Self::SocketIo | Self::Redis(_) => Peer::SocketIo,
        }
    }

    pub(crate) fn speech(self) -> Speech {
        self.peer().speech()
    }
}

fn noun(nodes: usize) -> &'static str {
    if nodes == 1 { "node" } else { "nodes" }
}

/// Returns the place of all servers, which share a processor, and of the load, which has the other.
pub(crate) fn place(args: &Args) -> Place {
    let [servers, load] = args.cores;
    Place {
        cores: vec![servers],
        workers: 1,
        load: vec![load],
    }
}

/// The processes of a deployment. Dropping it kills them.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) kind: Kind,
    pub(crate) nodes: Vec<Server>,
    pub(crate) broker: Option<Broker>,
}

impl Deployment {
    pub(crate) fn start(kind: Kind, place: &Place) -> Result<Self> {
        let broker = match kind {
            Kind::Alone | Kind::SocketIo => None,
            Kind::Nats(_) => Some(Broker::nats(place)?),
            Kind::Redis(_) => Some(Broker::redis(place)?),
        };
        let variable = || {
            let name = if kind.peer() == Peer::Zocket {
                "NATS"
            } else {
                "REDIS"
            };
            broker.as_ref().map(|broker| (name, broker.url.clone()))
        };
        let nodes: Result<Vec<_>> = (0..kind.nodes())
            .map(|_| Server::start_with(kind.peer(), place, variable()))
            .collect();
        let deployment = Self {
            kind,
            nodes: nodes?,
            broker,
        };
        deployment.check()?;
        Ok(deployment)
    }

    /// Fails if the nodes are not connected: a server that was built without the feature ignores NATS.
    fn check(&self) -> Result<()> {
        let (Kind::Nats(nodes), Some(broker)) = (self.kind, &self.broker) else {
            return Ok(());
        };
        let connections = broker.varz()?.connections;
        match connections == nodes as u64 {
            true => Ok(()),
            false => Err(Error::Missing(format!(
                "expected {nodes} connections of nodes at NATS, got {connections}: build bench_server with the feature nats"
            ))),
        }
    }

    /// Connects the members of a room, spread over the nodes by turns. The first one is on the first node.
    pub(crate) fn room(&self, members: usize) -> Result<Engine> {
        let mut engine = Engine::new(self.kind.speech())?;
        let join = Template::room(self.kind.speech(), "room.join", "room");
        for member in 0..members {
            let node = &self.nodes[member % self.nodes.len()];
            engine.connect(node.addr, 1, |_, client| call(client, &join))?;
        }
        Ok(engine)
    }

    pub(crate) fn cpu(&self) -> Moment {
        Moment {
            nodes: self.nodes.iter().map(|node| Cpu::of(node.pid())).collect(),
            broker: self.broker.as_ref().map(|broker| Cpu::of(broker.pid())),
        }
    }
}

/// Processor time of a deployment's processes at a moment. Only differences are meaningful.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    nodes: Vec<Cpu>,
    broker: Option<Cpu>,
}

/// Processor time between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// Sum of all nodes.
    pub(crate) nodes: Duration,
    pub(crate) broker: Duration,
}

impl Moment {
    pub(crate) fn since(&self, before: &Self) -> Spent {
        let nodes = self.nodes.iter().zip(&before.nodes);
        Spent {
            nodes: nodes.map(|(now, before)| now.since(*before)).sum(),
            broker: self
                .broker
                .zip(before.broker)
                .map(|(now, before)| now.since(before))
                .unwrap_or_default(),
        }
    }
}

impl Spent {
    /// Returns the nanoseconds of the nodes and of the broker for each of `count`.
    pub(crate) fn each(self, count: u64) -> [f64; 2] {
        [self.nodes, self.broker].map(|time| time.as_nanos() as f64 / count.max(1) as f64)
    }
}
