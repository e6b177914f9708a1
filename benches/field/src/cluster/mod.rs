//! Figures of several nodes: Zocket over NATS, beside one process and beside Socket.IO over Redis, and a simulation.

mod broker;
mod costs;
mod deliveries;
mod deployment;
mod latency;
mod page;
mod rooms;
mod simulation;

use std::{fs, path::Path, process, time::Instant};

use crate::{
    Error, Result,
    args::{Args, Cluster},
    proc, say,
};

use self::{
    costs::SMALL,
    deliveries::{Pace, Traffic},
    deployment::Kind::{Alone, Nats, Redis, SocketIo},
    simulation::{Assumptions, Costs, DESIGNS, Outcome},
};

/// Members of the room that all deployments are compared with.
const LARGE: usize = 100;
/// Messages for each second, where all deployments have the same rate.
const RATE: u32 = 200;

/// Measures what is installed, simulates with these costs, and writes `CLUSTER.md`.
pub(crate) fn run(kind: Cluster, args: &Args) -> Result<()> {
    if args.available {
        return deployment::Deployment::start(Nats(2), &deployment::place(args)).map(drop);
    }
    let started = Instant::now();
    let page = match kind {
        Cluster::Simulated => page::simulation(&Simulations::run(most(args), Costs::default())),
        Cluster::Measured => measured(args)?,
    };
    if kind == Cluster::Measured && !args.check {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("CLUSTER.md"), page)?;
    } else {
        say(&page);
    }
    say(&format!("it took {} s", started.elapsed().as_secs()));
    Ok(())
}

fn measured(args: &Args) -> Result<String> {
    let has_redis = is_here(Redis(2), args)?;
    let installed = |kinds: &[deployment::Kind]| -> Vec<deployment::Kind> {
        let is_used = |kind: &&deployment::Kind| has_redis || !matches!(kind, SocketIo | Redis(_));
        kinds.iter().filter(is_used).copied().collect()
    };
    let (latency, is_first) =
        with_priority(args, || latency::measure(&installed(&[Nats(2), Redis(2)]), args))?;
    let (rooms, _) = with_priority(args, || rooms::measure(&[Alone, Nats(1), Nats(2)], args))?;
    let room = |members, pace| Traffic { members, pace };
    let all = installed(&[Alone, Nats(1), Nats(2), Nats(3), SocketIo, Redis(2)]);
    let large = deliveries::measure(&all, room(LARGE, Pace::Full), args)?;
    let same_rate = deliveries::measure(
        &installed(&[Alone, Nats(2), SocketIo, Redis(2)]),
        room(LARGE, Pace::Each(RATE)),
        args,
    )?;
    let nodes = [Alone, Nats(1), Nats(2), Nats(3)];
    let small = deliveries::measure(&nodes, room(SMALL, Pace::Full), args)?;
    let small_same_rate = deliveries::measure(&nodes, room(SMALL, Pace::Each(RATE)), args)?;
    let costs = Costs::of([&small, &small_same_rate], &large, &rooms);
    let mut page = page::heading(args);
    page += &page::deliveries("A room of 100, as fast as possible", &large);
    page += &page::deliveries(&format!("A room of 100, {RATE} events a second"), &same_rate);
    page += &page::deliveries("A room of 10, as fast as possible", &small);
    page += &page::deliveries(&format!("A room of 10, {RATE} events a second"), &small_same_rate);
    page += &page::latency(&latency, is_first);
    page += &page::rooms(&rooms);
    page += &page::simulation(&Simulations::run(most(args), costs));
    Ok(page)
}

/// Measures with real-time priority if that is permitted, and if it is no check, which may have neighbours. Returns true if it
/// was.
fn with_priority<T>(args: &Args, measure: impl FnOnce() -> Result<T>) -> Result<(T, bool)> {
    let is_first = !args.check && proc::go_first(process::id(), 1).is_ok();
    let measured = measure();
    if is_first && !args.first {
        proc::go_back(process::id())?;
    }
    measured.map(|measured| (measured, is_first))
}

/// Returns false if a program is missing.
fn is_here(kind: deployment::Kind, args: &Args) -> Result<bool> {
    match deployment::Deployment::start(kind, &deployment::place(args)) {
        Ok(_) => Ok(true),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            say(&format!("{} is left out: {error}", kind.name()));
            Ok(false)
        }
    }
}

/// Returns the largest cluster that is simulated: a small one for a check.
fn most(args: &Args) -> Assumptions {
    match args.check {
        false => Assumptions::default(),
        true => Assumptions {
            nodes: 10,
            connections: 100_000,
            ..Assumptions::default()
        },
    }
}

/// All simulations.
pub(crate) struct Simulations {
    pub(crate) costs: Costs,
    /// Today's design with more and more nodes, up to twice as many as in the others.
    pub(crate) growth: Vec<Outcome>,
    /// All designs with the most nodes.
    pub(crate) spread: Vec<Outcome>,
    /// The same with most members of a room on one node.
    pub(crate) near: Vec<Outcome>,
}

impl Simulations {
    fn run(most: Assumptions, costs: Costs) -> Self {
        let near = Assumptions {
            affinity: 0.9,
            ..most
        };
        let growth = {
            let nodes = [2, 10, 30, 100, 200];
            let nodes = nodes.into_iter().filter(|nodes| *nodes <= 2 * most.nodes);
            let outcomes = nodes.map(|nodes| {
                let connections = most.connections / most.nodes as u64 * nodes as u64;
                let assumptions = Assumptions {
                    nodes,
                    connections,
                    ..most
                };
                simulation::run(assumptions, &DESIGNS[..1], &costs)
            });
            outcomes.flatten().collect()
        };
        Self {
            growth,
            spread: simulation::run(most, &DESIGNS, &costs),
            near: simulation::run(near, &DESIGNS, &costs),
            costs,
        }
    }
}
