//! The scenarios, by name.

use crate::server::Peer;

/// Group of the scenarios that compare clients with and without resumption.
pub(crate) const RESUME: &str = "resume";

/// The kind of a scenario, with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `echo`, with several calls in flight per connection.
    Requests {
        connections: usize,
        in_flight: usize,
        text: usize,
        workers: usize,
    },
    /// Messages to one room, with several in flight for the whole room.
    Fanout {
        members: usize,
        in_flight: usize,
        text: usize,
        /// Number of other rooms.
        among: usize,
        /// True if a connection in no room is probed meanwhile.
        probe: bool,
    },
    JoinLeave,
    /// A load with each protocol of Zocket's clients, in turns.
    Beside(Traffic),
    /// Connections that are idle after a call, and acknowledge its answer if they resume their sessions.
    Memory {
        acknowledges: bool,
    },
    Accept,
    Storm,
    /// Sessions whose clients have gone, with events of a room that they have not read.
    Parked {
        unread: usize,
    },
    /// Sessions that are all resumed at once.
    Comeback,
}

impl Shape {
    /// Returns true if the figure is a number of bytes.
    pub(crate) fn is_bytes(self) -> bool {
        matches!(self, Self::Memory { .. } | Self::Parked { .. })
    }
}

/// The load of a comparison of protocols, with texts of 32 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    Calls { connections: usize, in_flight: usize },
    Room { members: usize, in_flight: usize },
}

/// A column of the table, or a point of a plot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// The name for `--scenario`. Several columns may share one.
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) peers: &'static [Peer],
}

const APPS: &[Peer] = &[
    Peer::Zocket,
    Peer::Tungstenite,
    Peer::Axum,
    Peer::Bun,
    Peer::Socketioxide,
    Peer::SocketIo,
];
const SERIES: &[Peer] = &[Peer::Zocket, Peer::Tungstenite, Peer::Bun];
const PAIR: &[Peer] = &[Peer::Zocket, Peer::Tungstenite];
/// One server, whose clients speak the base protocol, the extended one, and the extended one with resumption.
const FORMS: &[Peer] = &[Peer::Zocket, Peer::ZocketExtended, Peer::ZocketResume];
const RESUMED: &[Peer] = &[Peer::ZocketResume];
const ACCEPT: &[Peer] = &[Peer::Zocket, Peer::Tungstenite, Peer::Upgrade];

fn requests(connections: usize, in_flight: usize, text: usize) -> Shape {
    Shape::Requests {
        connections,
        in_flight,
        text,
        workers: 1,
    }
}

fn fanout(members: usize, in_flight: usize, text: usize) -> Shape {
    Shape::Fanout {
        members,
        in_flight,
        text,
        among: 0,
        probe: false,
    }
}

/// Returns all scenarios, in the order of the report.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut add = |group: &'static str, name: &str, shape: Shape, peers: &'static [Peer]| {
        all.push(Scenario {
            group,
            name: name.to_owned(),
            shape,
            peers,
        });
    };
    add("request-16", "request-16", requests(64, 16, 32), APPS);
    add("request-1", "request-1", requests(64, 1, 32), APPS);
    add("fanout-100x20", "fanout-100x20", fanout(100, 20, 32), APPS);
    add("fanout-100x1", "fanout-100x1", fanout(100, 1, 32), APPS);
    add("fanout-1000x20", "fanout-1000x20", fanout(1_000, 20, 32), APPS);
    let probed = Shape::Fanout {
        members: 10_000,
        in_flight: 20,
        text: 32,
        among: 0,
        probe: true,
    };
    add("fanout-10000x20", "fanout-10000x20", probed, APPS);
    add("fanout-16k", "fanout-16k", fanout(200, 4, 16_384), APPS);
    for among in [10, 100_000] {
        let shape = Shape::Fanout {
            members: 10,
            in_flight: 20,
            text: 32,
            among,
            probe: false,
        };
        add("small-among-many", &format!("10-among-{among}"), shape, SERIES);
    }
    let memory = Shape::Memory { acknowledges: true };
    add("memory", "memory", memory, APPS);
    add("accept", "accept", Shape::Accept, ACCEPT);
    add("join-leave", "join-leave", Shape::JoinLeave, SERIES);
    add("storm", "storm", Shape::Storm, PAIR);
    for workers in [1, 2] {
        let shape = Shape::Requests {
            connections: 64,
            in_flight: 16,
            text: 32,
            workers,
        };
        add("two-cores", &format!("workers-{workers}"), shape, PAIR);
    }
    for (name, in_flight) in [("resume-request-16", 16), ("resume-request-1", 1)] {
        let calls = Traffic::Calls {
            connections: 64,
            in_flight,
        };
        add(RESUME, name, Shape::Beside(calls), RESUMED);
    }
    let room = Traffic::Room {
        members: 100,
        in_flight: 20,
    };
    add(RESUME, "resume-fanout-100x20", Shape::Beside(room), RESUMED);
    add(RESUME, "resume-memory", memory, FORMS);
    let unacknowledged = Shape::Memory { acknowledges: false };
    add(RESUME, "resume-memory-unacked", unacknowledged, RESUMED);
    add(RESUME, "resume-parked", Shape::Parked { unread: 0 }, RESUMED);
    let unread = Shape::Parked { unread: 100 };
    add(RESUME, "resume-parked-unread", unread, RESUMED);
    add(RESUME, "resume-all-at-once", Shape::Comeback, RESUMED);
    for members in [10, 100, 1_000, 10_000] {
        add(
            "scale-members",
            &format!("members-{members}"),
            fanout(members, 20, 32),
            SERIES,
        );
    }
    for connections in [1, 16, 64, 256, 1_024] {
        add(
            "scale-connections",
            &format!("connections-{connections}"),
            requests(connections, 16, 32),
            SERIES,
        );
    }
    for text in [32, 1_024, 4_096, 16_384, 65_536] {
        add(
            "scale-payload",
            &format!("payload-{text}"),
            fanout(100, 4, text),
            SERIES,
        );
    }
    for among in [10, 1_000, 10_000, 100_000] {
        let shape = Shape::Fanout {
            members: 10,
            in_flight: 20,
            text: 32,
            among,
            probe: false,
        };
        add("scale-rooms", &format!("rooms-{among}"), shape, SERIES);
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::all;

    #[test]
    fn names_are_unique() {
        let names: HashSet<_> = all().into_iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all().len());
    }
}
