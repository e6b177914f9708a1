//! One load with each protocol of Zocket's clients in turns: a server for each, and short slices, so that all meet the same
//! noise.

use std::time::{Duration, Instant};

use crate::{
    Error, Result,
    args::Args,
    connections::call,
    engine::{Engine, Load},
    load::{Fanout, Kind, Requests},
    measure::{Measured, Stopwatch},
    proc::Cpu,
    scenario::Traffic,
    server::{
        Peer::{self, Zocket, ZocketExtended, ZocketResume},
        Place, Server,
    },
    stats::{median, quantile},
    wire::Template,
};

/// Time for which a load runs before it is the next one's turn.
const SLICE: Duration = Duration::from_millis(150);
/// Cycles through all of them for each second of the window.
const CYCLES: f64 = 20.0;
/// Cycles before the first one that counts.
const WARM_UP: usize = 2;
const PATIENCE: Duration = Duration::from_secs(10);

/// Name of the figure that has a target.
pub(crate) const TO_BASE: &str = "with resumption, to base: median of the cycles";

/// A server, and the load that it serves.
struct Side<L> {
    server: Server,
    engine: Engine,
    load: L,
    /// Processor time, and the number of messages, at the start of the last slice.
    last: Option<(Cpu, u64)>,
    /// Processor time of a message in each cycle, in nanoseconds. It includes what the server did while it was idle.
    costs: Vec<f64>,
}

/// Measures a load with each protocol. `cost` is a message's with resumption.
pub(crate) fn beside(traffic: Traffic, place: &Place, args: &Args) -> Result<Measured> {
    match traffic {
        Traffic::Calls {
            connections,
            in_flight,
        } => {
            let side = |peer: Peer| -> Result<_> {
                let server = Server::start(peer, place)?;
                let mut engine = Engine::new(peer.speech())?;
                engine.connect(server.addr, connections, |_, _| Ok(()))?;
                let load = Requests::new(peer.speech(), Kind::Echo(32), connections, in_flight);
                Ok(Side::new(server, engine, load))
            };
            compare([side(Zocket)?, side(ZocketExtended)?, side(ZocketResume)?], args)
        }
        Traffic::Room { members, in_flight } => {
            let side = |peer: Peer| -> Result<_> {
                let server = Server::start(peer, place)?;
                let mut engine = Engine::new(peer.speech())?;
                let join = Template::room(peer.speech(), "room.join", "room");
                engine.connect(server.addr, members, |_, client| call(client, &join))?;
                let load = Fanout::new(peer.speech(), "room", members, in_flight, 32);
                Ok(Side::new(server, engine, load))
            };
            compare([side(Zocket)?, side(ZocketExtended)?, side(ZocketResume)?], args)
        }
    }
}

fn compare<L: Load>(mut sides: [Side<L>; 3], args: &Args) -> Result<Measured> {
    let cycles = (args.window.window.as_secs_f64() * CYCLES).ceil() as usize;
    let watch = Stopwatch::start(&sides[0].server);
    let mut count = 0;
    for cycle in 0..=cycles + WARM_UP {
        for side in &mut sides {
            side.end_cycle(cycle > WARM_UP);
            if cycle < cycles + WARM_UP {
                count += side.slice()?;
            }
        }
    }
    let times = watch.stop();
    let [base, extended, resume] = sides.map(|side| side.costs);
    let ratios = |costs: &[f64]| -> Vec<f64> {
        let pairs = costs.iter().zip(&base);
        pairs.map(|(cost, base)| cost / base).collect()
    };
    let (to_base, of_extended) = (ratios(&resume), ratios(&extended));
    let middle = |values: &[f64]| median(values.iter().copied());
    Ok(Measured {
        count,
        cost: middle(&resume),
        load: times.load,
        others: times.others,
        more: vec![
            ("ns with the base protocol", middle(&base)),
            ("ns with the extended protocol", middle(&extended)),
            ("ns with resumption", middle(&resume)),
            (TO_BASE, middle(&to_base)),
            (
                "with resumption, to base: lower quartile",
                quantile(&to_base, 0.25),
            ),
            (
                "with resumption, to base: upper quartile",
                quantile(&to_base, 0.75),
            ),
            ("extended, to base: median of the cycles", middle(&of_extended)),
        ],
        ..Measured::default()
    })
}

impl<L: Load> Side<L> {
    fn new(server: Server, engine: Engine, load: L) -> Self {
        Self {
            server,
            engine,
            load,
            last: None,
            costs: Vec::new(),
        }
    }

    /// Ends the cycle that began with the last slice.
    fn end_cycle(&mut self, counts: bool) {
        let now = Cpu::of(self.server.pid());
        if let Some((before, messages)) = self.last.replace((now, 0))
            && counts
        {
            let cost = now.since(before).as_nanos() as f64 / messages.max(1) as f64;
            self.costs.push(cost);
        }
    }

    /// Runs the load, and waits until everything has been answered. Returns the number of messages.
    fn slice(&mut self) -> Result<u64> {
        let Self {
            engine, load, last, ..
        } = self;
        load.reset();
        engine.begin(load)?;
        let end = Instant::now() + SLICE;
        while Instant::now() < end {
            engine.turn(Duration::from_millis(5), load)?;
        }
        load.stop();
        let end = Instant::now() + PATIENCE;
        while load.missing() > 0 {
            if Instant::now() > end {
                return Err(Error::Failed(format!("{} are missing", load.missing())));
            }
            engine.turn(Duration::from_millis(5), load)?;
        }
        let count = load.count();
        if let Some((_, messages)) = last {
            *messages = count;
        }
        Ok(count)
    }
}
