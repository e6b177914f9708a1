//! The cost of idle connections, of accepting, and of mass disconnects.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Error, Result,
    dial::Client,
    measure::{Measured, Stopwatch, Window},
    probe::Probe,
    proc,
    server::Server,
    wire::{STAMP, Stamp, Template},
};

/// Number of concurrent connects.
const TOGETHER: usize = 32;
/// Time until a connection is idle: the server acknowledges what it has received after a second.
const SETTLE: Duration = Duration::from_millis(1_500);
/// Time for the server to return freed memory.
const LATER: Duration = Duration::from_secs(3);

pub(crate) fn call(client: &mut Client, template: &Template) -> Result<()> {
    let mut frame = Vec::new();
    template.write(&mut frame, 0, Stamp::default());
    client.call(&frame)
}

/// Measures the resident memory of connections that are idle after one call. `cost` is bytes per connection, from the
/// slope. If they resume their sessions, the answer is acknowledged, unless it is to be kept by the server.
pub(crate) fn memory(server: &Server, most: usize, acknowledges: bool) -> Result<Measured> {
    let first = most / 5;
    let echo = Template::echo(server.peer.speech(), STAMP);
    let settled = || {
        thread::sleep(SETTLE);
        proc::resident(server.pid()) as f64
    };
    let empty = settled();
    let mut clients = Vec::new();
    let grow = |clients: &mut Vec<Client>, to: usize| -> Result<()> {
        while clients.len() < to {
            let mut client = Client::connect(server.addr, server.peer.speech(), "idle")?;
            call(&mut client, &echo)?;
            if acknowledges {
                client.acknowledge()?;
            }
            clients.push(client);
        }
        Ok(())
    };
    grow(&mut clients, first)?;
    let some = settled();
    grow(&mut clients, most)?;
    let all = settled();
    drop(clients);
    thread::sleep(LATER);
    let after = proc::resident(server.pid()) as f64;
    let slope = (all - some) / (most - first) as f64;
    let mib = f64::from(1 << 20);
    Ok(Measured {
        count: most as u64,
        cost: slope,
        more: vec![
            ("MiB at the start", empty / mib),
            ("MiB with all", all / mib),
            ("MiB after", after / mib),
            ("% given back", 100.0 * (all - after) / (all - empty).max(1.0)),
            (
                "MiB of 100,000 by slope",
                (all + slope * (100_000.0 - most as f64)) / mib,
            ),
        ],
        ..Measured::default()
    })
}

/// Measures connect, upgrade and close.
pub(crate) fn accept(server: &Server, window: Window) -> Result<Measured> {
    let done = AtomicU64::new(0);
    let ended = AtomicBool::new(false);
    let failure = Mutex::new(None);
    let (server_addr, speech) = (server.addr, server.peer.speech());
    let times = thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    match Client::upgrade(server_addr, speech, "guest").and_then(Client::close) {
                        Ok(()) => {
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            *failure.lock().expect("nobody panics with the lock") = Some(error);
                            return;
                        }
                    }
                }
            });
        }
        thread::sleep(window.warm);
        let before = done.load(Ordering::Relaxed);
        let watch = Stopwatch::start(server);
        let end = Instant::now() + window.window;
        while Instant::now() < end && !proc::interrupted() {
            thread::sleep(Duration::from_millis(10));
        }
        let times = watch.stop();
        let count = done.load(Ordering::Relaxed) - before;
        ended.store(true, Ordering::Relaxed);
        (times, count)
    });
    if let Some(error) = failure.into_inner().expect("nobody panics with the lock") {
        return Err(error);
    }
    let (times, count) = times;
    Ok(Measured {
        count,
        cost: times.server.as_nanos() as f64 / count.max(1) as f64,
        load: times.load,
        others: times.others,
        ..Measured::default()
    })
}

/// Disconnects all members of a room at once. Measures until the server has closed their sockets.
pub(crate) fn storm(server: &Server, members: usize) -> Result<Measured> {
    let speech = server.peer.speech();
    let probe = Probe::start(server.addr, speech)?;
    // Gives the server time to drop earlier connections.
    thread::sleep(Duration::from_millis(200));
    let before = proc::sockets(server.pid());
    let join = Template::room(speech, "room.join", "room");
    let mut clients = Vec::with_capacity(members);
    for _ in 0..members {
        let mut client = Client::connect(server.addr, speech, "member")?;
        call(&mut client, &join)?;
        clients.push(client);
    }
    probe.count(true);
    let watch = Stopwatch::start(server);
    let start = Instant::now();
    drop(clients);
    while proc::sockets(server.pid()) > before {
        if start.elapsed() > Duration::from_secs(60) || proc::interrupted() {
            return Err(Error::Failed(
                "sockets are left a minute after their peers have gone".into(),
            ));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let took = start.elapsed();
    let times = watch.stop();
    probe.count(false);
    let seen = probe.end()?;
    Ok(Measured {
        count: members as u64,
        cost: times.server.as_nanos() as f64 / members as f64,
        p50: seen.quantile(0.5).as_nanos() as f64 / 1e3,
        p99: seen.quantile(0.99).as_nanos() as f64 / 1e3,
        load: times.load,
        more: vec![
            ("ms until all sockets have gone", took.as_secs_f64() * 1e3),
            ("ms, a bystander's longest wait", seen.max().as_secs_f64() * 1e3),
        ],
        ..Measured::default()
    })
}
