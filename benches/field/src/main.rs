//! Measures Zocket beside its alternatives. See `README.md` in this folder.

mod args;
mod beside;
mod chart;
mod cluster;
mod connections;
mod crowd;
mod dial;
mod engine;
mod load;
mod measure;
mod probe;
mod proc;
mod report;
mod resumption;
mod run;
mod scenario;
mod server;
mod session;
mod sessions;
mod stats;
mod summary;
mod targets;
mod wire;

use std::{env, fmt, fs, io, io::Write, path::Path, process::ExitCode};

use args::Args;
use measure::Measured;
use scenario::{Scenario, Shape};
use server::Peer;
use summary::Summary;

pub(crate) type Result<T> = std::result::Result<T, Error>;

#[derive(Debug)]
pub(crate) enum Error {
    /// Invalid command line.
    Usage(String),
    /// A server that is not installed. The comparison leaves it out.
    Missing(String),
    Failed(String),
    Interrupted,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) | Self::Missing(what) | Self::Failed(what) => f.write_str(what),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<lexopt::Error> for Error {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

/// The results of a scenario with one server, round by round.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) scenario: Scenario,
    pub(crate) peer: Peer,
    pub(crate) rounds: Vec<Measured>,
    /// Number of disturbed runs that were repeated.
    pub(crate) left_out: usize,
    pub(crate) failure: Option<String>,
}

fn main() -> ExitCode {
    match Args::parse(env::args_os().skip(1)).and_then(|args| measure_all(&args)) {
        Ok(code) => code,
        Err(error) => {
            let hint = if matches!(error, Error::Usage(_)) {
                "\n`--help` shows the options"
            } else {
                ""
            };
            say(&format!("field: {error}{hint}"));
            ExitCode::from(2)
        }
    }
}

/// Prints a line of progress.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn measure_all(args: &Args) -> Result<ExitCode> {
    if args.help {
        say(args::HELP.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    if args.list {
        for scenario in scenario::all() {
            say(&format!("{:20} {}", scenario.group, scenario.name));
        }
        return Ok(ExitCode::SUCCESS);
    }
    proc::watch_signals()?;
    proc::raise_descriptors();
    if args.first {
        proc::go_first(std::process::id(), 1)?;
    }
    if let Some(kind) = args.cluster {
        cluster::run(kind, args)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut peers = Vec::new();
    let mut missing = Vec::new();
    for peer in &args.only {
        match peer.available() {
            Ok(()) => peers.push(*peer),
            Err(error) if args.check || args.available => return Err(error),
            Err(_) => {
                say(&format!("{} is left out: it is not installed", peer.name()));
                missing.push(format!("{}, which is not installed", peer.name()));
            }
        }
    }
    if args.available {
        return Ok(ExitCode::SUCCESS);
    }
    let mut all = Vec::new();
    for scenario in scenario::all()
        .into_iter()
        .filter(|scenario| args.wants(scenario))
    {
        let entrants: Vec<_> = peers
            .iter()
            .copied()
            .filter(|peer| scenario.peers.contains(peer))
            .collect();
        all.extend(compare(&scenario, &entrants, args)?);
    }
    let summaries: Vec<_> = all.iter().map(Summary::of).collect();
    if args.write {
        write_results(summaries, &missing, args)?;
    } else if !args.check {
        say(&report::report(&summaries, &missing, args));
    }
    let bad = all.iter().any(|series| {
        series.failure.is_some() || series.rounds.iter().any(|run| run.undelivered + run.disorder > 0)
    });
    Ok(if args.check && (bad || all.is_empty()) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Writes the comparison of servers, and apart from it that of clients with and without resumption.
fn write_results(summaries: Vec<Summary>, missing: &[String], args: &Args) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (resumption, servers): (Vec<_>, Vec<_>) = summaries
        .into_iter()
        .partition(|summary| summary.scenario.group == scenario::RESUME);
    if !servers.is_empty() {
        let page = report::report(&servers, missing, args);
        fs::write(folder.join("RESULTS.md"), page)?;
        fs::write(folder.join("field.svg"), chart::field(&servers))?;
        fs::write(folder.join("scaling.svg"), chart::scaling(&servers))?;
    }
    if !resumption.is_empty() {
        let page = report::report(&resumption, &[], args);
        fs::write(folder.join("RESUMPTION.md"), page)?;
    }
    Ok(())
}

/// Runs all servers in every round. Each round starts with another server.
fn compare(scenario: &Scenario, peers: &[Peer], args: &Args) -> Result<Vec<Series>> {
    let mut all: Vec<Series> = peers
        .iter()
        .map(|peer| Series {
            scenario: scenario.clone(),
            peer: *peer,
            rounds: Vec::new(),
            left_out: 0,
            failure: None,
        })
        .collect();
    for round in 0..args.rounds {
        for turn in 0..all.len() {
            let index = (round + turn) % all.len();
            let series = &mut all[index];
            if series.failure.is_some() {
                continue;
            }
            match undisturbed(series, args) {
                Ok(measured) => {
                    say(&line(series, &measured));
                    series.rounds.push(measured);
                }
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => {
                    say(&format!(
                        "{:16} {:14} failed: {error}",
                        scenario.name,
                        series.peer.name()
                    ));
                    series.failure = Some(error.to_string());
                }
            }
        }
    }
    Ok(all)
}

/// Share of a processor that other processes may use.
pub(crate) const OTHERS: f64 = 0.04;
/// Maximum number of repetitions of a disturbed run.
const REPEATS: usize = 3;

/// Runs a scenario, and repeats it while other processes disturb it. Returns the least disturbed run.
fn undisturbed(series: &mut Series, args: &Args) -> Result<Measured> {
    let mut best = run::run(&series.scenario, series.peer, args)?;
    for _ in 0..REPEATS {
        let is_quiet = best.others <= OTHERS || matches!(series.scenario.shape, Shape::Beside(_));
        if is_quiet || args.window.window.as_secs_f64() < 1.0 {
            break;
        }
        series.left_out += 1;
        let next = run::run(&series.scenario, series.peer, args)?;
        if next.others < best.others {
            best = next;
        }
    }
    Ok(best)
}

fn line(series: &Series, run: &Measured) -> String {
    let mut line = format!(
        "{:16} {:14} {:8.0} {} each  p50 {:8.1} µs  p99 {:8.1} µs  {:9} counted  load {:3.0} %  others {:3.0} %",
        series.scenario.name,
        series.peer.name(),
        run.cost,
        if series.scenario.shape.is_bytes() {
            "B"
        } else {
            "ns"
        },
        run.p50,
        run.p99,
        run.count,
        run.load * 100.0,
        run.others * 100.0,
    );
    if run.undelivered + run.disorder > 0 {
        line += &format!("  {} undelivered, {} out of order", run.undelivered, run.disorder);
    }
    for (name, value) in &run.more {
        line += &format!("  {name} {value:.1}");
    }
    line
}
