//! The command line.

use std::{collections::BTreeSet, ffi::OsString, time::Duration};

use crate::{Error, Result, measure::Window, proc, scenario, server::Peer};

pub(crate) const HELP: &str = "\
Zocket beside what its users would pick instead: processor time, latency, memory.

benches/field/run [options]
benches/field/run cluster [options]    nodes over NATS and Redis, and a simulation; writes CLUSTER.md
benches/field/run simulate [options]   only the simulation, with costs that were measured before

  --only NAMES       servers, by commas: zocket, zocket-extended, zocket-resume, tungstenite, axum, bun,
                     socketioxide, socket.io, upgrade
  --scenario NAMES   scenarios, by commas; `--list` names them
  --rounds N         how often each is run; the median counts (5)
  --window SECONDS   how long is measured (2)
  --quick            one round of 0.5 s
  --check            fails if anything is undelivered or out of order, and if a server is missing
  --members N        members of the storm's room (19000)
  --idle N           the most idle connections of `memory` (10000)
  --sessions N       sessions that are parked, and that come back (10000)
  --rooms N          rooms of `cluster` (10000)
  --cores A,B        the server's processor and the load's (the first two)
  --first            runs servers and load before all other processes (`chrt`, as root), for latencies on a
                     machine that others use
  --write            writes RESULTS.md and the plots, and RESUMPTION.md for the scenarios of `resume`; otherwise
                     only the whole table does
  --list             names the scenarios
  --available        measures nothing; fails if one of the servers is not here
";

/// The figures of several nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cluster {
    Measured,
    Simulated,
}

#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) only: Vec<Peer>,
    pub(crate) scenarios: Option<BTreeSet<String>>,
    pub(crate) rounds: usize,
    pub(crate) window: Window,
    pub(crate) check: bool,
    pub(crate) members: usize,
    pub(crate) idle: usize,
    pub(crate) sessions: usize,
    pub(crate) rooms: usize,
    pub(crate) cluster: Option<Cluster>,
    pub(crate) cores: [usize; 2],
    pub(crate) first: bool,
    pub(crate) write: bool,
    pub(crate) list: bool,
    pub(crate) available: bool,
    pub(crate) help: bool,
    pub(crate) line: String,
}

impl Args {
    pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Self> {
        use lexopt::prelude::*;
        let line: Vec<OsString> = line.into_iter().collect();
        let shown: Vec<_> = line.iter().map(|word| word.to_string_lossy()).collect();
        let mut args = Self {
            only: Peer::ALL.to_vec(),
            scenarios: None,
            rounds: 5,
            window: Window {
                warm: Duration::from_millis(500),
                window: Duration::from_secs(2),
                grace: Duration::from_secs(2),
            },
            check: false,
            members: 19_000,
            idle: 10_000,
            sessions: 10_000,
            rooms: 10_000,
            cluster: None,
            cores: proc::two_cores(),
            first: false,
            write: false,
            list: false,
            available: false,
            help: false,
            line: shown.join(" "),
        };
        let whole = line.is_empty();
        let mut parser = lexopt::Parser::from_args(line);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("only") => args.only = peers(&parser.value()?.string()?)?,
                Long("scenario") => args.scenarios = Some(scenarios(&parser.value()?.string()?)?),
                Long("rounds") => args.rounds = between(&mut parser, "--rounds", 1, 100)?,
                Long("window") => {
                    let seconds: f64 = parser.value()?.parse()?;
                    if !(0.1..=60.0).contains(&seconds) {
                        return Err(Error::Usage(format!(
                            "--window: 0.1 to 60 seconds, got {seconds}"
                        )));
                    }
                    args.window.window = Duration::from_secs_f64(seconds);
                }
                Long("quick") => {
                    args.rounds = 1;
                    args.window.warm = Duration::from_millis(200);
                    args.window.window = Duration::from_millis(500);
                }
                Long("check") => args.check = true,
                Long("members") => args.members = between(&mut parser, "--members", 10, 19_500)?,
                Long("sessions") => args.sessions = between(&mut parser, "--sessions", 200, 16_000)?,
                Long("rooms") => args.rooms = between(&mut parser, "--rooms", 200, 100_000)?,
                Value(word) if word == "cluster" => args.cluster = Some(Cluster::Measured),
                Value(word) if word == "simulate" => args.cluster = Some(Cluster::Simulated),
                Long("idle") => args.idle = between(&mut parser, "--idle", 200, 19_500)?,
                Long("cores") => args.cores = cores(&parser.value()?.string()?)?,
                Long("first") => args.first = true,
                Long("write") => args.write = true,
                Long("list") => args.list = true,
                Long("available") => args.available = true,
                Long("help") | Short('h') => args.help = true,
                other => return Err(other.unexpected().into()),
            }
        }
        args.write |= whole;
        Ok(args)
    }

    pub(crate) fn wants(&self, scenario: &scenario::Scenario) -> bool {
        let named =
            |names: &BTreeSet<String>| names.contains(scenario.group) || names.contains(&scenario.name);
        self.scenarios.as_ref().is_none_or(named)
    }
}

fn between(parser: &mut lexopt::Parser, what: &str, least: usize, most: usize) -> Result<usize> {
    use lexopt::ValueExt as _;
    let value: usize = parser.value()?.parse()?;
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(Error::Usage(format!("{what}: {least} to {most}, got {value}")))
    }
}

fn peers(names: &str) -> Result<Vec<Peer>> {
    let peer = |name| {
        Peer::named(name).ok_or_else(|| {
            let known: Vec<_> = Peer::ALL.map(Peer::name).into();
            Error::Usage(format!(
                "--only: no server {name:?}; there are {}",
                known.join(", ")
            ))
        })
    };
    names.split(',').map(peer).collect()
}

fn scenarios(names: &str) -> Result<BTreeSet<String>> {
    let all = scenario::all();
    let known = |name: &str| {
        if all
            .iter()
            .any(|scenario| scenario.group == name || scenario.name == name)
        {
            Ok(name.to_owned())
        } else {
            Err(Error::Usage(format!(
                "--scenario: no scenario {name:?}; `--list` names them"
            )))
        }
    };
    names.split(',').map(known).collect()
}

fn cores(pair: &str) -> Result<[usize; 2]> {
    let numbers: Option<Vec<usize>> = pair.split(',').map(|core| core.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[server, load]) => Ok([server, load]),
        _ => Err(Error::Usage(format!(
            "--cores: two numbers as in 0,1, got {pair:?}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Args, Cluster};
    use crate::server::Peer;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(Into::into)).map_err(|error| error.to_string())
    }

    #[test]
    fn servers_and_scenarios_are_chosen_by_name() {
        let args = parse("--only zocket,bun --scenario request-16 --rounds 2").unwrap();
        assert_eq!(args.only, [Peer::Zocket, Peer::Bun]);
        assert_eq!(args.rounds, 2);
        assert!(!args.write);
    }

    #[test]
    fn no_argument_selects_every_scenario_and_writes_the_table() {
        let args = parse("").unwrap();
        assert!(args.write && args.scenarios.is_none());
        assert_eq!(args.rounds, 5);
    }

    #[test]
    fn the_figures_of_several_nodes_are_chosen_by_a_word() {
        assert_eq!(parse("").unwrap().cluster, None);
        let args = parse("cluster --rooms 400").unwrap();
        assert_eq!((args.cluster, args.rooms), (Some(Cluster::Measured), 400));
        assert_eq!(parse("simulate").unwrap().cluster, Some(Cluster::Simulated));
    }

    #[test]
    fn invalid_arguments_are_named_in_the_error() {
        let error = |line| parse(line).unwrap_err();
        assert!(error("--only nginx").contains("no server \"nginx\"; there are zocket"));
        assert!(error("--scenario x").contains("no scenario \"x\""));
        assert!(error("--rounds 0").contains("--rounds: 1 to 100, got 0"));
        assert!(error("--cores 3").contains("two numbers"));
        assert!(error("--fast").contains("--fast"));
        assert!(error("clustre").contains("clustre"));
    }
}
