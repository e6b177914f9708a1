//! Messages to a room: several are in flight for the whole room, and each ends when every member has received it.

use crate::{
    Error, Result,
    engine::{Clock, Load, Out},
    stats::Histogram,
    wire::{self, Speech, Stamp, Template},
};

/// Number of members that send, in turns.
const SENDERS: usize = 100;

/// A message in flight.
#[derive(Clone, Copy, Debug, Default)]
struct Flight {
    number: u64,
    remaining: usize,
}

#[derive(Debug)]
pub(crate) struct Fanout {
    clock: Clock,
    template: Template,
    members: usize,
    senders: usize,
    flights: Vec<Flight>,
    next: u64,
    deliveries: u64,
    stopped: bool,
    hint: usize,
    /// The next expected number, by member and sender.
    seen: Vec<u64>,
    /// Number of messages that arrived twice or before an earlier one of their sender.
    pub(crate) disorder: u64,
    pub(crate) latency: Histogram,
}

impl Fanout {
    /// Creates the load. The engine's first connections are the room's members.
    pub(crate) fn new(speech: Speech, room: &str, members: usize, in_flight: usize, length: usize) -> Self {
        let senders = members.min(SENDERS);
        Self {
            clock: Clock::start(),
            template: Template::say(speech, room, length),
            members,
            senders,
            flights: vec![Flight::default(); in_flight],
            next: 0,
            deliveries: 0,
            stopped: false,
            hint: 0,
            seen: vec![0; members * senders],
            disorder: 0,
            latency: Histogram::default(),
        }
    }

    /// Lets only the first member send.
    pub(crate) fn with_one_sender(mut self) -> Self {
        self.senders = 1;
        self.seen.truncate(self.members);
        self
    }

    /// Sends a message in this slot. Two consecutive messages have one sender, so that their order can be checked.
    fn send(&mut self, slot: usize, out: &mut Out) {
        let number = self.next * self.flights.len() as u64 + slot as u64;
        self.next += 1;
        let sender = (self.next / 2) as usize % self.senders;
        self.flights[slot] = Flight {
            number,
            remaining: self.members,
        };
        let stamp = Stamp {
            sender: sender as u32,
            number,
            sent: self.clock.now(),
        };
        // The senders are spread over the room.
        let connection = sender * (self.members / self.senders);
        self.template.write(out.to(connection), 0, stamp);
    }
}

impl Load for Fanout {
    fn begin(&mut self, clock: Clock, out: &mut Out) {
        (self.clock, self.stopped) = (clock, false);
        (0..self.flights.len()).for_each(|slot| self.send(slot, out));
    }

    fn frame(&mut self, now: u64, connection: usize, payload: &[u8], out: &mut Out) -> Result<()> {
        let Some(stamp) = wire::stamp(payload, &mut self.hint) else {
            let said = String::from_utf8_lossy(payload).into_owned();
            return Err(Error::Failed(format!("not what was said: {said}")));
        };
        let sender = stamp.sender as usize;
        let slot = (stamp.number % self.flights.len() as u64) as usize;
        let flight = &mut self.flights[slot];
        if connection >= self.members
            || sender >= self.senders
            || flight.number != stamp.number
            || flight.remaining == 0
        {
            return Err(Error::Failed(format!("what nobody waits for: {stamp:?}")));
        }
        let seen = &mut self.seen[connection * self.senders + sender];
        if *seen > stamp.number {
            self.disorder += 1;
        }
        *seen = stamp.number + 1;
        self.deliveries += 1;
        self.latency.record(now.saturating_sub(stamp.sent));
        flight.remaining -= 1;
        if flight.remaining == 0 && !self.stopped {
            self.send(slot, out);
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.deliveries = 0;
        self.latency.clear();
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn count(&self) -> u64 {
        self.deliveries
    }

    fn missing(&self) -> u64 {
        self.flights.iter().map(|flight| flight.remaining as u64).sum()
    }
}
