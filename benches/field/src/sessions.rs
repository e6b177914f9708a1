//! The cost of sessions whose clients have gone, and of clients that all come back at once.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    Error, Result,
    connections::call,
    crowd::Crowd,
    dial::Client,
    measure::{Measured, Stopwatch, Times},
    probe::Probe,
    proc,
    server::Server,
    session::Ticket,
    stats::Histogram,
    wire::{STAMP, Speech, Stamp, Template},
};

/// Batches in which sessions are parked. The memory of a batch's sockets serves the next one.
const BATCHES: usize = 10;
/// Members of a room of parked sessions.
const ROOM: usize = 100;
/// Time for work that follows a handshake, and for the allocator.
const SETTLE: Duration = Duration::from_millis(300);
/// Time for which a bystander is measured at rest.
const REST: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

/// Names of the figures of `comeback`.
pub(crate) const TIMES_NEW: &str = "processor time of a resumed session, to a new one";
pub(crate) const BYSTANDER: &str = "p99 of a bystander while they come back, ms";

/// Measures the resident memory of parked sessions. `cost` is bytes per session, from the slope over the batches. With
/// unread events, each session is in a room, and `cost` includes them.
pub(crate) fn parked(server: &Server, count: usize, unread: usize) -> Result<Measured> {
    let (addr, speech) = (server.addr, server.peer.speech());
    let echo = Template::echo(speech, STAMP);
    let mut sender = Client::connect(addr, Speech::Zocket, "sender")?;
    let before = proc::sockets(server.pid());
    let rooms = |sessions: usize| sessions.div_ceil(ROOM);
    let resident = || {
        thread::sleep(SETTLE);
        proc::resident(server.pid()) as f64
    };
    let (batch, mut sessions) = (count / BATCHES, 0);
    let mut sizes = Vec::new();
    // One batch more: the first one brings the memory of the sockets.
    for _ in 0..=BATCHES {
        let mut clients = Vec::with_capacity(batch);
        for _ in 0..batch {
            let mut client = Client::connect(addr, speech, "parked")?;
            let join = Template::room(speech, "room.join", &room(sessions / ROOM));
            call(&mut client, if unread > 0 { &join } else { &echo })?;
            client.acknowledge()?;
            clients.push(client);
            sessions += 1;
        }
        drop(clients);
        until_closed(server, before)?;
        sizes.push(resident());
    }
    let slopes = sizes.windows(2).map(|pair| (pair[1] - pair[0]) / batch as f64);
    let (least, most) = slopes.fold((f64::MAX, f64::MIN), |(least, most), slope| {
        (least.min(slope), most.max(slope))
    });
    let slope = (sizes[BATCHES] - sizes[0]) / (batch * BATCHES) as f64;
    let mut measured = Measured {
        count: sessions as u64,
        cost: slope,
        more: vec![
            ("bytes of a session in the smallest batch", least),
            ("bytes of a session in the largest batch", most),
        ],
        ..Measured::default()
    };
    if unread > 0 {
        for number in 0..rooms(sessions) {
            let say = Template::say(Speech::Zocket, &room(number), STAMP);
            let mut frames = Vec::new();
            for number in 0..unread as u64 {
                let stamp = Stamp {
                    number,
                    ..Stamp::default()
                };
                say.write(&mut frames, 0, stamp);
            }
            sender.send(&frames)?;
            // Answered after all of them.
            call(&mut sender, &Template::echo(Speech::Zocket, STAMP))?;
        }
        let of_events = (resident() - sizes[BATCHES]) / sessions as f64;
        measured.cost += of_events;
        measured.more = vec![
            ("bytes of a session that has read all", slope),
            ("bytes of an unread event", of_events / unread as f64),
        ];
    }
    Ok(measured)
}

fn room(number: usize) -> String {
    format!("room{number}")
}

fn until_closed(server: &Server, before: usize) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while proc::sockets(server.pid()) > before {
        if Instant::now() > end || proc::interrupted() {
            return Err(Error::Failed(
                "sockets are left after their peers have gone".into(),
            ));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Measures clients that all come back at once, and as many new ones in the same process. `cost` is the processor time of
/// a resumed session.
pub(crate) fn comeback(server: &Server, count: usize) -> Result<Measured> {
    let before = proc::sockets(server.pid());
    // The memory of the first ones serves all later ones.
    dial(server, server.peer.speech(), count, None)?.crowd.leave()?;
    let rest = at_rest(server)?;
    let base = dial(server, Speech::Zocket, count, None)?;
    base.crowd.leave()?;
    let new = dial(server, server.peer.speech(), count, None)?;
    let tickets = new.crowd.tickets();
    new.crowd.cut(server, before)?;
    let back = dial(server, server.peer.speech(), count, Some(&tickets))?;
    back.crowd.leave()?;
    let each = |times: Times| times.server.as_nanos() as f64 / count as f64;
    let p99 = |seen: &Histogram| seen.quantile(0.99).as_secs_f64() * 1e3;
    Ok(Measured {
        count: count as u64,
        cost: each(back.times),
        p50: back.seen.quantile(0.5).as_nanos() as f64 / 1e3,
        p99: back.seen.quantile(0.99).as_nanos() as f64 / 1e3,
        load: back.times.load,
        others: back.times.others,
        more: vec![
            (TIMES_NEW, each(back.times) / each(new.times)),
            (
                "processor time of a new session, to a new connection of the base protocol",
                each(new.times) / each(base.times),
            ),
            ("µs of a new session", each(new.times) / 1e3),
            ("ms until all are back", back.took.as_secs_f64() * 1e3),
            ("ms until all new ones are accepted", new.took.as_secs_f64() * 1e3),
            (BYSTANDER, p99(&back.seen)),
            ("p99 of a bystander while new ones come, ms", p99(&new.seen)),
            ("p99 of a bystander at rest, ms", p99(&rest)),
            (
                "longest wait of a bystander while they come back, ms",
                back.seen.max().as_secs_f64() * 1e3,
            ),
        ],
        ..Measured::default()
    })
}

/// A crowd that was accepted, and the cost of that.
struct Dialled {
    crowd: Crowd,
    times: Times,
    took: Duration,
    /// Latency of a client that was connected already.
    seen: Histogram,
}

fn dial(server: &Server, speech: Speech, count: usize, tickets: Option<&[Ticket]>) -> Result<Dialled> {
    let probe = Probe::start(server.addr, Speech::Zocket)?;
    thread::sleep(SETTLE);
    probe.count(true);
    let (watch, start) = (Stopwatch::start(server), Instant::now());
    let crowd = Crowd::dial(server.addr, speech, count, tickets)?;
    let took = start.elapsed();
    probe.count(false);
    // The welcome is acknowledged, and the answer to the handshake is torn down.
    thread::sleep(SETTLE);
    let times = watch.stop();
    Ok(Dialled {
        crowd,
        times,
        took,
        seen: probe.end()?,
    })
}

fn at_rest(server: &Server) -> Result<Histogram> {
    let probe = Probe::start(server.addr, Speech::Zocket)?;
    probe.count(true);
    thread::sleep(REST);
    probe.end()
}
