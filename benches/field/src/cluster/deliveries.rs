//! Deliveries to a room whose members are spread over the nodes. All deployments run at once, and take turns of short
//! slices, so that all meet the same noise.

use std::time::{Duration, Instant};

use crate::{
    Error, Result,
    args::Args,
    engine::{Engine, Load},
    load::{Fanout, Paced},
    stats::{Spread, median},
};

use super::deployment::{Deployment, Kind, Moment, place};

/// Messages in flight for the whole room.
const IN_FLIGHT: usize = 20;
/// Time for which a load runs before it is the next one's turn.
const SLICE: Duration = Duration::from_millis(150);
/// Cycles for each second of the window.
const CYCLES: f64 = 3.0;
/// Cycles before the first one that counts.
const WARM_UP: usize = 2;
const PATIENCE: Duration = Duration::from_secs(10);

/// Ways in which messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A message is sent when one has reached every member.
    Full,
    /// Messages for each second, whatever becomes of the earlier ones.
    Each(u32),
}

/// A room, and how the messages to it are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) members: usize,
    pub(crate) pace: Pace,
}

/// Figures of a deployment: medians of a round's cycles, and their spread over the rounds.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    /// Deliveries for each second of the slices.
    pub(crate) rate: Spread,
    /// Nanoseconds of processor time for each delivery, of all nodes.
    pub(crate) nodes: Spread,
    pub(crate) broker: Spread,
    /// The nodes' processor time, as a multiple of the first deployment's in the same cycle.
    pub(crate) ratio: Spread,
    /// The same, including the broker's.
    pub(crate) whole: Spread,
}

/// Figures of one cycle.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    rate: f64,
    nodes: f64,
    broker: f64,
}

/// Figures of a deployment in a round, in the order of [`Row`]'s spreads.
type Round = [f64; 5];

/// Measures all deployments. The first one is what the others are compared with.
pub(crate) fn measure(kinds: &[Kind], traffic: Traffic, args: &Args) -> Result<Vec<Row>> {
    let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); kinds.len()];
    for number in 0..args.rounds {
        // Each round starts with another one.
        let order: Vec<usize> = (0..kinds.len())
            .map(|place| (place + number) % kinds.len())
            .collect();
        let cycles = round(kinds, &order, traffic, args)?;
        for (kind, figures) in rounds.iter_mut().enumerate() {
            figures.push(figures_of(&cycles[kind], &cycles[0]));
        }
        crate::say(&format!(
            "{} members, {:?}, round {}: {}",
            traffic.members,
            traffic.pace,
            number + 1,
            kinds
                .iter()
                .zip(&rounds)
                .map(|(kind, figures)| format!("{} {:.0} ns", kind.name(), figures[number][1]))
                .collect::<Vec<_>>()
                .join("; ")
        ));
    }
    let rows = kinds.iter().zip(&rounds).map(|(kind, figures)| {
        let spread = |at: usize| Spread::of(figures.iter().map(move |round| round[at]));
        Row {
            kind: *kind,
            rate: spread(0),
            nodes: spread(1),
            broker: spread(2),
            ratio: spread(3),
            whole: spread(4),
        }
    });
    Ok(rows.collect())
}

fn figures_of(cycles: &[Cycle], first: &[Cycle]) -> Round {
    let middle = |of: fn(&Cycle) -> f64| median(cycles.iter().map(of));
    let pairs = || cycles.iter().zip(first);
    [
        middle(|cycle| cycle.rate),
        middle(|cycle| cycle.nodes),
        middle(|cycle| cycle.broker),
        median(pairs().map(|(cycle, first)| cycle.nodes / first.nodes)),
        median(pairs().map(|(cycle, first)| (cycle.nodes + cycle.broker) / first.nodes)),
    ]
}

/// Starts all deployments, and runs the cycles. Returns them by deployment.
fn round(kinds: &[Kind], order: &[usize], traffic: Traffic, args: &Args) -> Result<Vec<Vec<Cycle>>> {
    let place = place(args);
    let sides: Result<Vec<_>> = kinds
        .iter()
        .map(|kind| Side::start(Deployment::start(*kind, &place)?, traffic))
        .collect();
    let mut sides = sides?;
    let cycles = (args.window.window.as_secs_f64() * CYCLES).ceil() as usize;
    for cycle in 0..=cycles + WARM_UP {
        for side in order {
            let side = &mut sides[*side];
            side.end_cycle(cycle > WARM_UP);
            if cycle < cycles + WARM_UP {
                side.slice()?;
            }
        }
    }
    Ok(sides.into_iter().map(|side| side.cycles).collect())
}

/// A deployment, and the load that it serves.
struct Side {
    deployment: Deployment,
    engine: Engine,
    load: Sent,
    /// Processor time at the start of the last slice, and that slice's deliveries and duration.
    last: Option<(Moment, u64, Duration)>,
    /// They include what the processes did during the slices of others.
    cycles: Vec<Cycle>,
}

enum Sent {
    Full(Fanout),
    Each(Paced, Duration),
}

impl Side {
    fn start(deployment: Deployment, traffic: Traffic) -> Result<Self> {
        let (speech, members) = (deployment.kind.speech(), traffic.members);
        let engine = deployment.room(members)?;
        let load = match traffic.pace {
            Pace::Full => Sent::Full(Fanout::new(speech, "room", members, IN_FLIGHT, 32).with_one_sender()),
            Pace::Each(rate) => Sent::Each(Paced::new(speech, members, &[]), Duration::from_secs(1) / rate),
        };
        Ok(Self {
            deployment,
            engine,
            load,
            last: None,
            cycles: Vec::new(),
        })
    }

    /// Ends the cycle that began with the last slice.
    fn end_cycle(&mut self, counts: bool) {
        let now = self.deployment.cpu();
        if let Some((before, deliveries, took)) = self.last.replace((now.clone(), 0, Duration::ZERO))
            && counts
        {
            let [nodes, broker] = now.since(&before).each(deliveries);
            self.cycles.push(Cycle {
                rate: deliveries as f64 / took.as_secs_f64(),
                nodes,
                broker,
            });
        }
    }

    /// Runs the load, and waits until everything was delivered.
    fn slice(&mut self) -> Result<()> {
        let (deliveries, took) = match &mut self.load {
            Sent::Full(load) => full(&mut self.engine, load)?,
            Sent::Each(load, every) => paced(&mut self.engine, load, *every, SLICE)?,
        };
        if let Some(last) = &mut self.last {
            (last.1, last.2) = (deliveries, took);
        }
        Ok(())
    }
}

fn full(engine: &mut Engine, load: &mut Fanout) -> Result<(u64, Duration)> {
    load.reset();
    let start = Instant::now();
    engine.begin(load)?;
    while start.elapsed() < SLICE {
        engine.turn(Duration::from_millis(5), load)?;
    }
    load.stop();
    drain(engine, load)?;
    if load.disorder > 0 {
        return Err(Error::Failed(format!("{} out of order", load.disorder)));
    }
    Ok((load.count(), start.elapsed()))
}

/// Sends a message at fixed times. Returns the number of deliveries.
pub(crate) fn paced(
    engine: &mut Engine,
    load: &mut Paced,
    every: Duration,
    window: Duration,
) -> Result<(u64, Duration)> {
    load.reset();
    let start = Instant::now();
    let mut next = start;
    while start.elapsed() < window {
        let now = Instant::now();
        if now >= next {
            engine.begin(load)?;
            next += every;
        }
        engine.turn(next.saturating_duration_since(now), load)?;
    }
    drain(engine, load)?;
    Ok((load.count(), start.elapsed()))
}

/// Waits until everything that was sent is delivered.
fn drain(engine: &mut Engine, load: &mut impl Load) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while load.missing() > 0 {
        if Instant::now() > end {
            return Err(Error::Failed(format!("{} are missing", load.missing())));
        }
        engine.turn(Duration::from_millis(5), load)?;
    }
    Ok(())
}
