//! The faults of a simulation. A seed decides their list before the run, so that one can be left out without a change
//! of the others.

use std::{fmt, time::Duration};

use super::chance::Chance;
use crate::testing::link::{LaneFaults, LinkFaults, Trickle};

/// Numbers of faults of each kind, in one run.
#[derive(Debug, Clone)]
pub(super) struct FaultCounts {
    pub(super) cuts: usize,
    pub(super) half_open: usize,
    pub(super) abandoned: usize,
    pub(super) stalls: usize,
    pub(super) slow_readers: usize,
    /// Longest time that bytes are in flight.
    pub(super) latency: Duration,
    /// One run in so many has a shutdown. 0: none.
    pub(super) shutdown_in: u64,
}

impl Default for FaultCounts {
    fn default() -> Self {
        Self {
            cuts: 5,
            half_open: 1,
            abandoned: 1,
            stalls: 1,
            slow_readers: 1,
            latency: Duration::from_millis(40),
            shutdown_in: 4,
        }
    }
}

/// A fault. Connections of a client are numbered from 0, as are clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The link of one connection misbehaves.
    Link {
        client: usize,
        connection: usize,
        fault: LinkFault,
    },
    /// The client leaves a connection open, reads no more from it, and connects again.
    Abandoned {
        client: usize,
        connection: usize,
        after_frames: u64,
        open_for: Duration,
    },
    /// Bytes of a client's connections are in flight for this long.
    Latency {
        client: usize,
        to_app: Duration,
        to_client: Duration,
    },
    /// The client waits this long before it connects again.
    Away {
        client: usize,
        connection: usize,
        time: Duration,
    },
    /// `World::pause` waits.
    SlowHandlers,
    /// The app shuts down.
    Shutdown {
        after: Duration,
        grace: Duration,
        restarts: bool,
    },
}

/// Direction of a link's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    ToApp,
    ToClient,
}

/// A fault of a link, from the byte `at` of its direction on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LinkFault {
    Cut {
        direction: Direction,
        at: u64,
        loses_in_flight: bool,
    },
    /// Nothing arrives any more, and neither side is notified.
    HalfOpen {
        direction: Option<Direction>,
        at: u64,
    },
    Stall {
        direction: Direction,
        at: u64,
        time: Duration,
    },
    SlowReader {
        at: u64,
        trickle: Trickle,
    },
}

impl Fault {
    /// Returns the faults of a seed.
    pub(super) fn of_seed(seed: u64, clients: usize, counts: &FaultCounts) -> Vec<Self> {
        let chance = Chance::new(seed, 1);
        let pick = |end: usize| usize::try_from(chance.below(end as u64)).unwrap_or_default();
        let mut faults = Vec::new();
        // Each connection ends by at most one fault. So the next fault of the client ends its next connection.
        let mut ended = vec![0; clients];
        let mut endings: Vec<_> = [
            (Ending::Cut, counts.cuts),
            (Ending::HalfOpen, counts.half_open),
            (Ending::Abandoned, counts.abandoned),
        ]
        .into_iter()
        .flat_map(|(ending, count)| std::iter::repeat_n(ending, count))
        .collect();
        while !endings.is_empty() && clients > 0 {
            let ending = endings.swap_remove(pick(endings.len()));
            let client = pick(clients);
            let connection = ended[client];
            ended[client] += 1;
            faults.push(ending.fault(&chance, client, connection));
        }
        for (client, ended) in ended.iter().enumerate() {
            if !chance.one_in(3) {
                let (to_app, to_client) = (chance.time(counts.latency), chance.time(counts.latency));
                faults.push(Self::Latency {
                    client,
                    to_app,
                    to_client,
                });
            }
            if chance.one_in(8) {
                let seconds = if chance.one_in(3) { 90 } else { 20 };
                faults.push(Self::Away {
                    client,
                    connection: pick(ended + 1),
                    time: chance.time(Duration::from_secs(seconds)),
                });
            }
        }
        for _ in 0..counts.stalls {
            let client = pick(clients);
            let fault = LinkFault::Stall {
                direction: direction(&chance),
                at: position(&chance),
                time: chance.time(Duration::from_secs(if chance.one_in(4) { 60 } else { 3 })),
            };
            faults.push(Self::Link {
                client,
                connection: pick(ended[client] + 1),
                fault,
            });
        }
        for _ in 0..counts.slow_readers {
            let client = pick(clients);
            let trickle = Trickle {
                bytes: 1 + pick(200),
                every: Duration::from_millis(1 + chance.below(20)),
            };
            let fault = LinkFault::SlowReader {
                at: position(&chance),
                trickle,
            };
            faults.push(Self::Link {
                client,
                connection: pick(ended[client] + 1),
                fault,
            });
        }
        if chance.one_in(2) {
            faults.push(Self::SlowHandlers);
        }
        if counts.shutdown_in > 0 && chance.one_in(counts.shutdown_in) {
            faults.push(Self::Shutdown {
                after: chance.time(Duration::from_secs(15)),
                grace: chance.time(Duration::from_secs(5)),
                restarts: chance.one_in(2),
            });
        }
        faults
    }
}

/// A fault that ends a connection.
#[derive(Debug, Clone, Copy)]
enum Ending {
    Cut,
    HalfOpen,
    Abandoned,
}

impl Ending {
    fn fault(self, chance: &Chance, client: usize, connection: usize) -> Fault {
        let fault = match self {
            Self::Cut => LinkFault::Cut {
                direction: direction(chance),
                at: position(chance),
                loses_in_flight: chance.one_in(2),
            },
            Self::HalfOpen => LinkFault::HalfOpen {
                direction: (!chance.one_in(3)).then(|| direction(chance)),
                at: position(chance),
            },
            Self::Abandoned => {
                return Fault::Abandoned {
                    client,
                    connection,
                    after_frames: chance.below(20),
                    open_for: chance.time(Duration::from_secs(60)),
                };
            }
        };
        Fault::Link {
            client,
            connection,
            fault,
        }
    }
}

fn direction(chance: &Chance) -> Direction {
    if chance.one_in(2) {
        Direction::ToApp
    } else {
        Direction::ToClient
    }
}

/// Returns the position of a fault. Early ones are the most frequent: they meet the handshake, the welcome, and the
/// first frames after it.
fn position(chance: &Chance) -> u64 {
    let width = 1 << (6 + chance.below(6));
    chance.below(if chance.one_in(8) { 200 } else { 350 }) + chance.below(width)
}

/// Returns the faults of one connection's link.
pub(super) fn link_faults(faults: &[Fault], client: usize, connection: usize) -> LinkFaults {
    let mut link = LinkFaults::default();
    for fault in faults {
        match fault {
            Fault::Latency {
                client: of,
                to_app,
                to_client,
            } if *of == client => {
                link.to_app.latency = *to_app;
                link.to_client.latency = *to_client;
            }
            Fault::Link {
                client: of,
                connection: which,
                fault,
            } if (*of, *which) == (client, connection) => fault.apply(&mut link),
            _ => {}
        }
    }
    link
}

impl LinkFault {
    fn apply(&self, link: &mut LinkFaults) {
        fn lane(link: &mut LinkFaults, direction: Direction) -> &mut LaneFaults {
            match direction {
                Direction::ToApp => &mut link.to_app,
                Direction::ToClient => &mut link.to_client,
            }
        }
        match *self {
            Self::Cut {
                direction,
                at,
                loses_in_flight,
            } => {
                lane(link, direction).cut_at = Some(at);
                link.loses_in_flight = loses_in_flight;
            }
            Self::HalfOpen { direction, at } => {
                for each in [Direction::ToApp, Direction::ToClient] {
                    if direction.is_none_or(|only| only == each) {
                        lane(link, each).swallow_from = Some(at);
                    }
                }
            }
            Self::Stall { direction, at, time } => lane(link, direction).stall = Some((at, time)),
            Self::SlowReader { at, trickle } => link.to_client.trickle = Some((at, trickle)),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link {
                client,
                connection,
                fault,
            } => write!(f, "client {client}, connection {connection}: {fault}"),
            Self::Abandoned {
                client,
                connection,
                after_frames,
                open_for,
            } => write!(
                f,
                "client {client}, connection {connection}: left open for {open_for:?} and replaced by the next one, \
                 after {after_frames} frames"
            ),
            Self::Latency {
                client,
                to_app,
                to_client,
            } => write!(
                f,
                "client {client}: latency of {to_app:?} to the app, {to_client:?} back"
            ),
            Self::Away {
                client,
                connection,
                time,
            } => write!(
                f,
                "client {client}: {time:?} pass before its connection {connection}"
            ),
            Self::SlowHandlers => f.write_str("handlers pause"),
            Self::Shutdown {
                after,
                grace,
                restarts,
            } => {
                let what = if *restarts { "restarts" } else { "shuts down" };
                write!(f, "the app {what} after {after:?}, with {grace:?} of grace")
            }
        }
    }
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut {
                direction,
                at,
                loses_in_flight,
            } => {
                let rest = if *loses_in_flight { "lost" } else { "delivered" };
                write!(
                    f,
                    "cut at byte {at} {direction}, bytes in flight to the app {rest}"
                )
            }
            Self::HalfOpen {
                direction: Some(direction),
                at,
            } => write!(f, "nothing arrives from byte {at} {direction} on"),
            Self::HalfOpen { direction: None, at } => {
                write!(f, "nothing arrives from byte {at} of either direction on")
            }
            Self::Stall { direction, at, time } => write!(f, "stalls for {time:?} at byte {at} {direction}"),
            Self::SlowReader { at, trickle } => write!(
                f,
                "reads {} bytes every {:?} from byte {at} on",
                trickle.bytes, trickle.every
            ),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ToApp => "to the app",
            Self::ToClient => "to the client",
        })
    }
}
