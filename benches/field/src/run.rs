//! Runs a scenario with one server: a new process, the connections, the load.

use std::time::Duration;

use crate::{
    Error, Result,
    args::Args,
    beside::beside,
    connections::{self, call},
    engine::Engine,
    load::{Fanout, Kind, Requests},
    measure::{self, Measured},
    probe::Probe,
    scenario::{Scenario, Shape},
    server::{Peer, Place, Server},
    sessions,
    stats::Histogram,
    wire::{STAMP, Template},
};

/// Names of the probe's figures: latency of a client in no room while a large room gets messages, in milliseconds.
pub(crate) const ELSEWHERE: [&str; 3] = ["elsewhere p50", "elsewhere p99", "elsewhere max"];

/// Runs a scenario. The server's process has ended when this returns.
pub(crate) fn run(scenario: &Scenario, peer: Peer, args: &Args) -> Result<Measured> {
    let workers = match scenario.shape {
        Shape::Requests { workers, .. } => workers,
        _ => 1,
    };
    let place = place(args, workers);
    if let Shape::Beside(traffic) = scenario.shape {
        return beside(traffic, &place, args);
    }
    let server = Server::start(peer, &place)?;
    match scenario.shape {
        Shape::Requests {
            connections,
            in_flight,
            text,
            ..
        } => requests(&server, Kind::Echo(text), connections, in_flight, args),
        Shape::JoinLeave => join_leave(&server, args),
        Shape::Beside(_) => Err(Error::Failed("it has servers of its own".into())),
        Shape::Fanout {
            members,
            in_flight,
            text,
            among,
            probe,
        } => {
            let probe = if probe {
                Some(Probe::start(server.addr, peer.speech())?)
            } else {
                None
            };
            fanout(&server, (members, in_flight, text), among, probe, args)
        }
        Shape::Memory { acknowledges } => connections::memory(&server, args.idle, acknowledges),
        Shape::Accept => connections::accept(&server, args.window),
        Shape::Parked { unread } => sessions::parked(&server, args.sessions, unread),
        Shape::Comeback => sessions::comeback(&server, args.sessions),
        Shape::Storm => connections::storm(&server, args.members),
    }
}

/// Pins the server to the first core and the load to the second, which a second worker shares.
fn place(args: &Args, workers: usize) -> Place {
    let [first, second] = args.cores;
    Place {
        cores: if workers > 1 {
            vec![first, second]
        } else {
            vec![first]
        },
        workers,
        load: vec![second],
    }
}

fn requests(
    server: &Server,
    kind: Kind,
    connections: usize,
    in_flight: usize,
    args: &Args,
) -> Result<Measured> {
    let speech = server.peer.speech();
    let mut engine = Engine::new(speech)?;
    engine.connect(server.addr, connections, |_, _| Ok(()))?;
    let mut load = Requests::new(speech, kind, connections, in_flight);
    let measured = measure::run(&mut engine, server, args.window, &mut load, None)?;
    Ok(with_latency(measured, &load.latency))
}

/// Entering and leaving, beyond what any call costs.
fn join_leave(server: &Server, args: &Args) -> Result<Measured> {
    let echo = requests(server, Kind::Echo(STAMP), 64, 16, args)?;
    let mut both = requests(server, Kind::JoinLeave, 64, 16, args)?;
    both.more = vec![("ns of an echo", echo.cost), ("ns with it", both.cost)];
    both.cost -= echo.cost;
    Ok(both)
}

fn fanout(
    server: &Server,
    (members, in_flight, text): (usize, usize, usize),
    among: usize,
    probe: Option<Probe>,
    args: &Args,
) -> Result<Measured> {
    let speech = server.peer.speech();
    let mut engine = Engine::new(speech)?;
    let join = Template::room(speech, "room.join", "room");
    // The members come first; others are in rooms of their own.
    let others = if among == 0 { 0 } else { 100 };
    engine.connect(server.addr, members + others, |index, client| {
        if index < members {
            return call(client, &join);
        }
        for room in (0..among).filter(|room| room % others == index - members) {
            call(
                client,
                &Template::room(speech, "room.join", &format!("other{room}")),
            )?;
        }
        Ok(())
    })?;
    let mut load = Fanout::new(speech, "room", members, in_flight, text);
    let mut measured = measure::run(&mut engine, server, args.window, &mut load, probe.as_ref())?;
    measured.disorder = load.disorder;
    if let Some(probe) = probe {
        let seen = probe.end()?;
        let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
        measured.more = vec![
            (ELSEWHERE[0], millis(seen.quantile(0.5))),
            (ELSEWHERE[1], millis(seen.quantile(0.99))),
            (ELSEWHERE[2], millis(seen.max())),
        ];
    }
    Ok(with_latency(measured, &load.latency))
}

fn with_latency(mut measured: Measured, latency: &Histogram) -> Measured {
    measured.p50 = latency.quantile(0.5).as_nanos() as f64 / 1e3;
    measured.p99 = latency.quantile(0.99).as_nanos() as f64 / 1e3;
    measured
}
