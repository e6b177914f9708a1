//! Messages to a room at a fixed rate, from its first member.

use crate::{
    Error, Result,
    engine::{Clock, Load, Out},
    stats::quantile,
    wire::{self, Speech, Stamp, Template},
};

#[derive(Debug)]
pub(crate) struct Paced {
    template: Template,
    members: usize,
    sent: u64,
    received: u64,
    counted: u64,
    hint: usize,
    /// Latency of each message to the members with these indices, in nanoseconds.
    pub(crate) watched: Vec<Watched>,
}

/// A member whose latencies are kept.
#[derive(Debug)]
pub(crate) struct Watched {
    member: usize,
    /// By the number of the message. NaN until it arrives.
    pub(crate) nanos: Vec<f64>,
}

impl Watched {
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        quantile(&self.nanos, share)
    }
}

impl Paced {
    /// Creates the load. The engine's connections are the room's members.
    pub(crate) fn new(speech: Speech, members: usize, watched: &[usize]) -> Self {
        Self {
            template: Template::say(speech, "room", 32),
            members,
            sent: 0,
            received: 0,
            counted: 0,
            hint: 0,
            watched: watched
                .iter()
                .map(|member| Watched {
                    member: *member,
                    nanos: Vec::new(),
                })
                .collect(),
        }
    }
}

impl Load for Paced {
    /// Sends one message.
    fn begin(&mut self, clock: Clock, out: &mut Out) {
        let stamp = Stamp {
            sender: 0,
            number: self.sent,
            sent: clock.now(),
        };
        self.sent += 1;
        for watched in &mut self.watched {
            watched.nanos.push(f64::NAN);
        }
        self.template.write(out.to(0), 0, stamp);
    }

    fn frame(&mut self, now: u64, connection: usize, payload: &[u8], _: &mut Out) -> Result<()> {
        let stamp =
            wire::stamp(payload, &mut self.hint).ok_or_else(|| Error::Failed("not what was said".into()))?;
        self.received += 1;
        self.counted += 1;
        for watched in self.watched.iter_mut().filter(|it| it.member == connection) {
            if let Some(nanos) = watched.nanos.get_mut(stamp.number as usize) {
                *nanos = now.saturating_sub(stamp.sent) as f64;
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.counted = 0;
    }

    fn stop(&mut self) {}

    fn count(&self) -> u64 {
        self.counted
    }

    fn missing(&self) -> u64 {
        (self.sent * self.members as u64).saturating_sub(self.received)
    }
}
