use std::{env, fmt, fmt::Write as _, sync::Arc, thread, time::Duration};

use serde::Serialize;
use url::Url;

use super::{
    SimApp, SimClient, Totals, World,
    fault::FaultCounts,
    run::Functions,
    seeds::{self, Failed, REPEAT, Seeds},
    settings::Settings,
};

/// A simulation: the number of its clients, and the faults of each seed. See the [module](super).
#[derive(Clone)]
#[must_use = "a simulation runs by `.run(..)`"]
pub struct Sim {
    seeds: Seeds,
    settings: Settings,
    command: Option<String>,
}

impl Sim {
    /// Begins a simulation of this seed.
    pub fn seed(seed: u64) -> Self {
        Self::new(Seeds::One(seed, None))
    }

    /// Begins a simulation of the seeds from 0 to `count`. The environment variable `ZOCKET_SIM_SEEDS` replaces
    /// `count`. `ZOCKET_SIM` replaces it by one seed.
    pub fn seeds(count: u64) -> Self {
        Self::new(Seeds::First(count))
    }

    fn new(seeds: Seeds) -> Self {
        let url = Url::parse("ws://app.test/").unwrap_or_else(|error| panic!("{error}"));
        Self {
            seeds,
            settings: Settings {
                clients: 3,
                counts: FaultCounts::default(),
                url,
                headers: Arc::new(|_| Ok(serde_json::Value::Null)),
                answer_within: Duration::from_secs(120),
                allows_overtaking: false,
                may_lose_sessions: false,
                has_network: false,
            },
            command: None,
        }
    }

    /// Sets the number of clients. Default: 3.
    pub fn clients(mut self, clients: usize) -> Self {
        self.settings.clients = clients;
        self
    }

    /// Sets the number of cuts in each run: connections that end without a Close, at any byte of either direction. One
    /// that falls behind the last byte of its connection has no effect. Default: 5.
    pub fn cuts(mut self, cuts: usize) -> Self {
        self.settings.counts.cuts = cuts;
        self
    }

    /// Sets the number of connections in each run that stay open while nothing arrives any more, in one direction or in
    /// both. Default: 1.
    pub fn half_open(mut self, connections: usize) -> Self {
        self.settings.counts.half_open = connections;
        self
    }

    /// Sets the number of connections in each run that their client leaves open, and replaces by another. Default: 1.
    pub fn abandoned(mut self, connections: usize) -> Self {
        self.settings.counts.abandoned = connections;
        self
    }

    /// Sets the number of connections in each run that stall for up to a minute. Default: 1.
    pub fn stalls(mut self, connections: usize) -> Self {
        self.settings.counts.stalls = connections;
        self
    }

    /// Sets the number of connections in each run whose client reads a few bytes at a time. Default: 1.
    pub fn slow_readers(mut self, connections: usize) -> Self {
        self.settings.counts.slow_readers = connections;
        self
    }

    /// Sets the longest latency of a connection, in each direction. Default: 40 ms.
    pub fn latency(mut self, longest: Duration) -> Self {
        self.settings.counts.latency = longest;
        self
    }

    /// Shuts the app down in one run of `runs`, and in none if that is 0. Default: in one of four.
    pub fn shutdown_in(mut self, runs: u64) -> Self {
        self.settings.counts.shutdown_in = runs;
        self
    }

    /// Sets the connect headers of each client: an object of strings, numbers and booleans. Default: none.
    pub fn headers<H: Serialize>(mut self, of: impl Fn(usize) -> H + Send + Sync + 'static) -> Self {
        self.settings.headers = Arc::new(move |client| serde_json::to_value(of(client)));
        self
    }

    /// Sets the path of the handshakes. Default: `/`.
    ///
    /// # Panics
    /// If the path makes no valid URL.
    #[track_caller]
    pub fn path(mut self, path: &str) -> Self {
        match self.settings.url.join(path) {
            Ok(url) => self.settings.url = url,
            Err(error) => panic!("expected the path of a URL, got {path}: {error}"),
        }
        self
    }

    /// Sets the time within which a call on a living connection must be answered. It must be longer than the slowest
    /// handler, with all calls before it. Default: 2 minutes.
    pub fn answer_within(mut self, time: Duration) -> Self {
        self.settings.answer_within = time;
        self
    }

    /// Lets the app lose sessions that it could resume, as it does when their record exceeds its limit. Then the calls of
    /// a lost session may be unanswered. Without this, a session that is not resumed within its time fails the run.
    pub fn losing_sessions(mut self) -> Self {
        self.settings.may_lose_sessions = true;
        self
    }

    /// Lets a Close overtake calls, as it may in an app with concurrent routes. Then they may be unanswered when the Close
    /// is answered.
    pub fn overtaking(mut self) -> Self {
        self.settings.allows_overtaking = true;
        self
    }

    /// Sets the command that the message of a failure says. Default: `cargo test` with the package and the name of the
    /// test, as far as the environment tells them.
    pub fn repeated_by(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }

    /// Runs the simulation: `app` builds the app of each run, and `script` says what each client does. Returns the totals.
    ///
    /// The app should have the hub that [`World::hub`] returns, so that its events are checked. A script gets an error for
    /// calls whose session ended before the answer. When it has ended, the client closes its connection. In half of the
    /// runs, it waits for all events before.
    ///
    /// # Panics
    /// If a run fails, with the seed, the command that repeats it, and the fewest faults that it needs.
    #[track_caller]
    pub fn run<A, S>(self, app: A, script: S) -> Totals
    where
        A: Fn(&World) -> SimApp + Sync,
        S: AsyncFn(SimClient) + Sync,
    {
        let seeds = self.seeds.clone().or_environment();
        match self.run_seeds(&seeds, &app, &script) {
            Ok(totals) => totals,
            Err(failed) => panic!("{}", self.message(&failed)),
        }
    }

    /// Runs the simulation, and returns the message of its failure instead of panicking. It does not look at the
    /// environment.
    ///
    /// # Errors
    /// The message of the failure.
    pub fn try_run<A, S>(self, app: A, script: S) -> Result<Totals, String>
    where
        A: Fn(&World) -> SimApp + Sync,
        S: AsyncFn(SimClient) + Sync,
    {
        let run = self.run_seeds(&self.seeds, &app, &script);
        run.map_err(|failed| self.message(&failed))
    }

    /// Runs the app and its clients over real sockets for this time: see the [module](super#real-sockets). The script has to
    /// end by itself about then. Settings of faults are ignored.
    ///
    /// A client comes back within seconds, unless several handshakes in a row are swallowed. So the app's
    /// [`Limits::resume_within`](field@crate::Limits::resume_within) should be two minutes, and its
    /// [`Limits::ping_after`](field@crate::Limits::ping_after) a second.
    ///
    /// # Errors
    /// The message of a failure.
    pub fn soak<A, S>(self, time: Duration, app: A, script: S) -> Result<Totals, String>
    where
        A: Fn(&World) -> SimApp,
        S: AsyncFn(SimClient),
    {
        let functions = Functions {
            app: &app,
            script: &script,
        };
        let seed = match self.seeds {
            Seeds::First(_) => 0,
            Seeds::One(seed, _) => seed,
        };
        let soaked = functions.soak(seed, &self.settings, time);
        soaked.map_err(|failure| format!("seed {seed} failed over real sockets: {failure}"))
    }

    fn run_seeds<A, S>(&self, seeds: &Seeds, app: &A, script: &S) -> Result<Totals, Box<Failed>>
    where
        A: Fn(&World) -> SimApp + Sync,
        S: AsyncFn(SimClient) + Sync,
    {
        seeds::run(&Functions { app, script }, &self.settings, seeds)
    }

    fn message(&self, failed: &Failed) -> String {
        let Failed {
            seed,
            kept,
            faults,
            failure,
        } = failed;
        let kept: Vec<_> = kept.iter().map(ToString::to_string).collect();
        let command = self.command.clone().unwrap_or_else(command);
        let mut message = format!(
            "seed {seed} failed. Repeat it with:\n\n    {REPEAT}={seed}:{} {command}\n\n{failure}\n\nIts faults:\n",
            kept.join(",")
        );
        for fault in faults {
            // Writing to a string does not fail.
            let _ = writeln!(message, "- {fault}");
        }
        if faults.is_empty() {
            message.push_str("- none\n");
        }
        message
    }
}

/// Returns the command that runs the present test. cargo sets the variable, and libtest names its threads by their tests.
fn command() -> String {
    let package = env::var("CARGO_PKG_NAME").map_or(String::new(), |name| format!(" --package {name}"));
    let thread = thread::current();
    let test = thread.name().filter(|name| *name != "main");
    let test = test.map_or(String::new(), |name| format!(" -- --exact {name}"));
    format!("cargo test{package}{test}")
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("seeds", &self.seeds)
            .field("clients", &self.settings.clients)
            .field("counts", &self.settings.counts)
            .finish_non_exhaustive()
    }
}
