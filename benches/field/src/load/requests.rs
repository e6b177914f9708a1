//! Calls, with several in flight per connection.

use crate::{
    Error, Result,
    engine::{Clock, Load, Out},
    stats::Histogram,
    wire::{self, Speech, Stamp, Template},
};

/// The kind of call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// `echo` with texts of this many characters.
    Echo(usize),
    /// `room.join` and `room.leave` in turns, with one room per connection.
    JoinLeave,
}

#[derive(Debug)]
pub(crate) struct Requests {
    clock: Clock,
    speech: Speech,
    kind: Kind,
    templates: Vec<Template>,
    connections: usize,
    in_flight: usize,
    sent: u64,
    outstanding: u64,
    count: u64,
    stopped: bool,
    hint: usize,
    /// True if one call of the pair was answered, by connection.
    half: Vec<bool>,
    pub(crate) latency: Histogram,
}

impl Requests {
    pub(crate) fn new(speech: Speech, kind: Kind, connections: usize, in_flight: usize) -> Self {
        let templates = match kind {
            Kind::Echo(length) => vec![Template::echo(speech, length)],
            Kind::JoinLeave => (0..connections)
                .flat_map(|index| {
                    let room = format!("own{index}");
                    ["room.join", "room.leave"].map(|kind| Template::room(speech, kind, &room))
                })
                .collect(),
        };
        Self {
            clock: Clock::start(),
            speech,
            kind,
            templates,
            connections,
            in_flight,
            sent: 0,
            outstanding: 0,
            count: 0,
            stopped: false,
            hint: 0,
            half: vec![false; connections],
            latency: Histogram::default(),
        }
    }

    fn send(&mut self, now: u64, connection: usize, out: &mut Out) {
        let stamp = Stamp {
            sender: connection as u32,
            number: self.sent,
            sent: now,
        };
        self.outstanding += 1;
        self.sent += 1;
        let out = out.to(connection);
        match self.kind {
            Kind::Echo(_) => self.templates[0].write(out, self.sent, stamp),
            // Both calls of a pair are sent together, and get two answers.
            Kind::JoinLeave => {
                let pair = 2 * connection;
                self.templates[pair].write(out, self.sent, stamp);
                self.sent += 1;
                self.outstanding += 1;
                self.templates[pair + 1].write(out, self.sent, stamp);
            }
        }
    }
}

impl Load for Requests {
    fn begin(&mut self, clock: Clock, out: &mut Out) {
        (self.clock, self.stopped) = (clock, false);
        for connection in 0..self.connections {
            let together = match self.kind {
                Kind::Echo(_) => self.in_flight,
                Kind::JoinLeave => self.in_flight.div_ceil(2),
            };
            for _ in 0..together {
                self.send(clock.now(), connection, out);
            }
        }
    }

    fn frame(&mut self, now: u64, connection: usize, payload: &[u8], out: &mut Out) -> Result<()> {
        match self.kind {
            Kind::Echo(_) => {
                let Some(stamp) = wire::stamp(payload, &mut self.hint) else {
                    let said = String::from_utf8_lossy(payload).into_owned();
                    return Err(Error::Failed(format!("no echo: {said}")));
                };
                if stamp.sender as usize != connection {
                    return Err(Error::Failed("an answer went to another connection".into()));
                }
                self.latency.record(now.saturating_sub(stamp.sent));
            }
            Kind::JoinLeave if !wire::is_answer(self.speech, payload) => {
                let said = String::from_utf8_lossy(payload).into_owned();
                return Err(Error::Failed(format!("no answer: {said}")));
            }
            Kind::JoinLeave => (),
        }
        self.count += 1;
        self.outstanding -= 1;
        let due = match self.kind {
            Kind::Echo(_) => true,
            Kind::JoinLeave => {
                let half = &mut self.half[connection];
                *half = !*half;
                !*half
            }
        };
        if due && !self.stopped {
            self.send(now, connection, out);
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.count = 0;
        self.latency.clear();
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn missing(&self) -> u64 {
        self.outstanding
    }
}
