//! A scenario with one server: a fresh process, the connections, the load.

use crate::{
    Result,
    args::Args,
    dial::Client,
    engine::Engine,
    load::{Fanout, Kind, Requests},
    measure::{self, Measured},
    scenario::{Scenario, Shape},
    server::{Peer, Place, Server},
    stats::Histogram,
    wire::{Stamp, Template},
};

/// One run, whose process is gone when this returns.
pub(crate) fn run(scenario: &Scenario, peer: Peer, args: &Args) -> Result<Measured> {
    let workers = match scenario.shape {
        Shape::Requests { workers, .. } => workers,
        _ => 1,
    };
    let server = Server::start(peer, &place(args, workers))?;
    match scenario.shape {
        Shape::Requests {
            connections,
            in_flight,
            text,
            ..
        } => requests(&server, Kind::Echo(text), connections, in_flight, args),
        Shape::JoinLeave => requests(&server, Kind::JoinLeave, 64, 16, args),
        Shape::Fanout {
            members,
            in_flight,
            text,
            among,
            ..
        } => fanout(&server, (members, in_flight, text), among, args),
        Shape::Memory | Shape::Accept | Shape::Storm => Err(crate::Error::Missing("not built yet".into())),
    }
}

/// The server has the first core, the load the second; the second of two workers shares that.
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
    let measured = measure::run(&mut engine, server, args.window, &mut load)?;
    Ok(with_latency(measured, &load.latency))
}

fn fanout(
    server: &Server,
    (members, in_flight, text): (usize, usize, usize),
    among: usize,
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
    let mut measured = measure::run(&mut engine, server, args.window, &mut load)?;
    measured.disorder = load.disorder;
    Ok(with_latency(measured, &load.latency))
}

fn call(client: &mut Client, template: &Template) -> Result<()> {
    let mut frame = Vec::new();
    template.write(&mut frame, 0, Stamp::default());
    client.call(&frame)
}

fn with_latency(mut measured: Measured, latency: &Histogram) -> Measured {
    measured.p50 = latency.quantile(0.5).as_nanos() as f64 / 1e3;
    measured.p99 = latency.quantile(0.99).as_nanos() as f64 / 1e3;
    measured
}
