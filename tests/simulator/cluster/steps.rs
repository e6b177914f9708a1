//! The steps of a run, as data, so that a failure can be repeated with fewer of them.

use std::time::Duration;

use super::{random::Random, settings::Settings};

/// Rooms of a run.
pub const ROOMS: [&str; 4] = ["lobby", "attic", "cellar", "a.b c"];

#[derive(Debug, Clone)]
pub struct Step {
    /// Time since the step before.
    pub after: Duration,
    pub action: Action,
}

/// Receivers of an event.
#[derive(Debug, Clone)]
pub enum To {
    /// Indices of rooms.
    Rooms(Vec<usize>),
    Clients(Vec<usize>),
    Everyone,
}

/// Something that happens. Indices of clients count those that are there, modulo their number.
#[derive(Debug, Clone)]
pub enum Action {
    Connect {
        node: usize,
    },
    Join {
        client: usize,
        room: usize,
    },
    Leave {
        client: usize,
        room: usize,
    },
    Send {
        client: usize,
        to: To,
        except: Option<usize>,
        except_room: Option<usize>,
        times: usize,
        bytes: usize,
    },
    /// The client does not read for a while, as one whose connection is broken.
    Pause {
        client: usize,
        time: Duration,
    },
    /// The client's session ends.
    End {
        client: usize,
    },
    /// The client's session ends. It comes back to any node, as a new client.
    Move {
        client: usize,
        node: usize,
    },
    /// A node lets a client join or leave, wherever it is.
    Manage {
        node: usize,
        client: usize,
        room: usize,
        joins: bool,
    },
    Disconnect {
        node: usize,
        client: usize,
    },
    Ask {
        node: usize,
        room: usize,
    },
    Flush {
        node: usize,
    },
    Cut {
        node: usize,
        away: Duration,
    },
    Silence {
        node: usize,
        time: Duration,
        away: Duration,
    },
    Stall {
        node: usize,
        time: Duration,
    },
    CutRoute {
        one: usize,
        other: usize,
        time: Duration,
    },
    RestartServer {
        server: usize,
        away: Duration,
    },
    Hinder {
        node: usize,
        drops: usize,
        refusals: usize,
    },
    /// The node's process dies, or ends, and starts again.
    Restart {
        node: usize,
        dies: bool,
        away: Duration,
    },
}

/// Decides the steps of a seed.
pub fn steps(seed: u64, settings: &Settings) -> Vec<Step> {
    let mut random = Random::new(seed, 1);
    let calm = random.one_in(8);
    let mut steps: Vec<_> = (0..settings.nodes * 2)
        .map(|node| Step {
            after: Duration::ZERO,
            action: Action::Connect { node },
        })
        .collect();
    for client in 0..settings.nodes * 2 {
        steps.push(Step {
            after: random.time(Duration::from_millis(100)),
            action: Action::Join { client, room: 0 },
        });
    }
    for _ in 0..settings.steps {
        let after = match random.below(10) {
            0..=4 => Duration::ZERO,
            5..=7 => random.time(Duration::from_millis(50)),
            8 => random.time(Duration::from_millis(800)),
            _ => random.time(Duration::from_secs(4)),
        };
        let action = match !calm && random.one_in(6) {
            true => fault(&mut random, settings),
            false => action(&mut random, settings),
        };
        steps.push(Step { after, action });
    }
    steps
}

fn action(random: &mut Random, settings: &Settings) -> Action {
    let client = random.below(100);
    let node = random.below(settings.nodes);
    let room = random.below(ROOMS.len());
    match random.below(40) {
        0 | 1 => Action::Connect { node },
        2..=8 => Action::Join { client, room },
        9..=11 => Action::Leave { client, room },
        12 => Action::Pause {
            client,
            time: random.time(Duration::from_secs(8)),
        },
        13 => Action::End { client },
        14 => Action::Move { client, node },
        15..=17 => Action::Manage {
            node,
            client,
            room,
            joins: !random.one_in(3),
        },
        18 => Action::Disconnect { node, client },
        19 | 20 => Action::Ask { node, room },
        21 => Action::Flush { node },
        _ => send(random, client, room),
    }
}

fn send(random: &mut Random, client: usize, room: usize) -> Action {
    let to = match random.below(10) {
        0..=4 => To::Rooms(vec![room]),
        5 | 6 => To::Rooms(vec![room, random.below(ROOMS.len()), random.below(ROOMS.len())]),
        7 => To::Clients(vec![random.below(100)]),
        8 => To::Clients((0..4).map(|_| random.below(100)).collect()),
        _ => To::Everyone,
    };
    Action::Send {
        client,
        to,
        except: random.one_in(4).then(|| random.below(100)),
        except_room: random.one_in(6).then(|| random.below(ROOMS.len())),
        times: random.pick(&[1, 1, 1, 2, 10]),
        bytes: random.pick(&[10, 10, 10, 300, 1_200]),
    }
}

fn fault(random: &mut Random, settings: &Settings) -> Action {
    let node = random.below(settings.nodes);
    let time = match random.below(3) {
        0 => random.time(Duration::from_millis(100)),
        1 => random.time(Duration::from_secs(3)),
        _ => Duration::from_secs(5) + random.time(Duration::from_secs(8)),
    };
    match random.below(9) {
        2 => Action::Silence {
            node,
            time,
            away: random.time(Duration::from_secs(1)),
        },
        3 => Action::Stall { node, time },
        4 | 5 if settings.servers > 1 => Action::CutRoute {
            one: node,
            other: (node + 1) % settings.nodes,
            time,
        },
        0 | 1 | 4 | 5 => Action::Cut { node, away: time },
        6 => Action::RestartServer {
            server: random.below(settings.servers),
            away: time,
        },
        7 => Action::Hinder {
            node,
            drops: random.pick(&[0, 1, 3]),
            refusals: random.pick(&[0, 1, 2]),
        },
        _ => Action::Restart {
            node,
            dies: random.one_in(2),
            away: time,
        },
    }
}
