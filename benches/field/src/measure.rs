//! One run: warm-up, the measured window, and what has not come back after it.

use std::{
    process,
    time::{Duration, Instant},
};

use crate::{
    Result,
    engine::{Engine, Load},
    probe::Probe,
    proc::{self, Cpu},
    server::Server,
};

/// The longest that is waited for what is late.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) warm: Duration,
    pub(crate) window: Duration,
    /// How long nothing may arrive, before what is missing counts as lost.
    pub(crate) grace: Duration,
}

/// What one run has shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// Requests, deliveries, connections.
    pub(crate) count: u64,
    /// The server's processor time for one of them, in nanoseconds.
    pub(crate) cost: f64,
    /// In microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) undelivered: u64,
    pub(crate) disorder: u64,
    /// How much of its processor the load generator took.
    pub(crate) load: f64,
    /// How much of a processor others took meanwhile.
    pub(crate) others: f64,
    /// What else a scenario shows, by name.
    pub(crate) more: Vec<(&'static str, f64)>,
}

/// Processor time of all, between two moments.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    pid: u32,
    server: Cpu,
    own: Cpu,
    busy: Duration,
    start: Instant,
}

/// What a stopwatch has shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) server: Duration,
    pub(crate) load: f64,
    pub(crate) others: f64,
}

impl Stopwatch {
    pub(crate) fn start(server: &Server) -> Self {
        let pid = server.pid();
        Self {
            pid,
            busy: proc::busy(),
            own: Cpu::of(process::id()),
            server: Cpu::of(pid),
            start: Instant::now(),
        }
    }

    pub(crate) fn stop(&self) -> Times {
        let server = Cpu::of(self.pid).since(self.server);
        let own = Cpu::of(process::id()).since(self.own);
        let busy = proc::busy().saturating_sub(self.busy);
        let wall = self.start.elapsed().as_secs_f64();
        Times {
            server,
            load: own.as_secs_f64() / wall,
            others: (busy.saturating_sub(server + own)).as_secs_f64() / wall,
        }
    }
}

/// Runs a load. Latencies are the load's own business: it has them when this returns.
pub(crate) fn run(
    engine: &mut Engine,
    server: &Server,
    window: Window,
    load: &mut impl Load,
    probe: Option<&Probe>,
) -> Result<Measured> {
    let counting = |on| probe.into_iter().for_each(|probe| probe.count(on));
    let tick = Duration::from_millis(5);
    engine.begin(load)?;
    let end = Instant::now() + window.warm;
    while Instant::now() < end {
        engine.turn(tick, load)?;
    }
    load.reset();
    counting(true);
    let watch = Stopwatch::start(server);
    let end = Instant::now() + window.window;
    while Instant::now() < end {
        engine.turn(tick, load)?;
    }
    let times = watch.stop();
    let count = load.count();
    load.stop();
    counting(false);
    // What is late is no loss: as long as something arrives there is something to wait for.
    let end = Instant::now() + PATIENCE;
    let mut quiet = (load.missing(), Instant::now() + window.grace);
    while load.missing() > 0 && Instant::now() < end.min(quiet.1) {
        engine.turn(tick, load)?;
        if load.missing() < quiet.0 {
            quiet = (load.missing(), Instant::now() + window.grace);
        }
    }
    Ok(Measured {
        count,
        cost: times.server.as_nanos() as f64 / count.max(1) as f64,
        undelivered: load.missing(),
        load: times.load,
        others: times.others,
        ..Measured::default()
    })
}
