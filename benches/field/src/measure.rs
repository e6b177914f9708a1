//! One run: warm-up, the measured window, and the wait for late messages.

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

/// Maximum wait for late messages.
const PATIENCE: Duration = Duration::from_secs(20);

/// Durations of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) warm: Duration,
    pub(crate) window: Duration,
    /// Silence after which missing messages count as lost.
    pub(crate) grace: Duration,
}

/// The results of one run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Measured {
    /// Number of requests, deliveries or connections.
    pub(crate) count: u64,
    /// The server's processor time per request, delivery or connection, in nanoseconds.
    pub(crate) cost: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) undelivered: u64,
    pub(crate) disorder: u64,
    /// Share of its processor that the load generator used.
    pub(crate) load: f64,
    /// Share of a processor that other processes used.
    pub(crate) others: f64,
    /// Further figures of a scenario, by name.
    pub(crate) more: Vec<(&'static str, f64)>,
}

/// Processor time of server, load and others since a moment.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    pid: u32,
    server: Cpu,
    own: Cpu,
    busy: Duration,
    start: Instant,
}

/// The reading of a stopwatch.
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

/// Runs a load. Its latencies are in the load afterwards.
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
    // Late messages are not lost: the wait continues as long as some arrive.
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
