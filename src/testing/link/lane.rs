//! One direction of a link: bytes in flight, and the faults that they meet.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    task::{Context as Task, Poll, Waker},
    time::Duration,
};

use tokio::{
    io::ReadBuf,
    time::{Instant, Sleep, sleep_until},
};

/// Bytes in flight in one direction, like the buffers of two sockets.
const CAPACITY: usize = 64 << 10;

/// Faults of one direction. Positions count the bytes that the reader has received, those of the HTTP handshake
/// included.
#[derive(Debug, Clone, Default)]
pub(crate) struct LaneFaults {
    /// Time that each byte is in flight.
    pub(crate) latency: Duration,
    /// Position at which the whole link is cut.
    pub(crate) cut_at: Option<u64>,
    /// Position from which on the lane accepts bytes and delivers none.
    pub(crate) swallow_from: Option<u64>,
    /// Position at which delivery stops for a time.
    pub(crate) stall: Option<(u64, Duration)>,
    /// Position from which on the reader receives a few bytes at a time.
    pub(crate) trickle: Option<(u64, Trickle)>,
}

/// Pace of a slow reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trickle {
    /// Bytes that are delivered at once.
    pub(crate) bytes: usize,
    /// Time between two deliveries.
    pub(crate) every: Duration,
}

/// One direction of a link.
#[derive(Debug, Default)]
pub(super) struct Lane {
    in_flight: VecDeque<u8>,
    /// For bytes with a latency, the position behind them and the time of their arrival.
    arrivals: VecDeque<(u64, Instant)>,
    arrived_to: u64,
    written: u64,
    delivered: u64,
    faults: LaneFaults,
    /// Time until which nothing is delivered.
    held_until: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Time at which bytes were first swallowed, stalled or slowed down.
    disturbed_at: Option<Instant>,
    /// True if the writer has shut down its side.
    pub(super) is_finished: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Result of a poll of a lane's reader.
pub(super) enum Delivery {
    /// Bytes were delivered.
    Bytes,
    /// The writer has finished, and everything was delivered.
    End,
    /// Nothing can be delivered now. The reader is woken.
    Pending,
    /// The position of the cut is reached.
    Cut,
}

impl Lane {
    pub(super) fn new(faults: LaneFaults) -> Self {
        Self {
            faults,
            ..Self::default()
        }
    }

    /// Returns true if the lane accepts bytes and delivers none any more.
    pub(super) fn swallows(&self) -> bool {
        self.faults
            .swallow_from
            .is_some_and(|from| self.delivered >= from)
    }

    /// Returns true if a fault has taken effect that no connection survives.
    pub(super) fn has_ended_by_fault(&self) -> bool {
        self.swallows() || self.faults.cut_at.is_some_and(|at| self.delivered >= at)
    }

    /// Returns true if a fault has taken effect that a peer may notice.
    pub(super) fn was_disturbed(&self) -> bool {
        self.has_ended_by_fault() || self.disturbed_at.is_some()
    }

    /// Returns the time at which a fault took effect that the two sides notice at different times.
    pub(super) const fn disturbed_at(&self) -> Option<Instant> {
        self.disturbed_at
    }

    /// Accepts bytes, as many as there is room for.
    pub(super) fn write(&mut self, bytes: &[u8], cx: &Task<'_>) -> Poll<io::Result<usize>> {
        if self.swallows() {
            self.written += bytes.len() as u64;
            return Poll::Ready(Ok(bytes.len()));
        }
        let room = CAPACITY - self.in_flight.len();
        if room == 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let accepted = room.min(bytes.len());
        self.in_flight.extend(&bytes[..accepted]);
        self.written += accepted as u64;
        if !self.faults.latency.is_zero() {
            self.arrivals
                .push_back((self.written, Instant::now() + self.faults.latency));
        }
        self.wake_reader();
        Poll::Ready(Ok(accepted))
    }

    /// Delivers bytes that have arrived, up to the position of the next fault.
    pub(super) fn read(&mut self, buf: &mut ReadBuf<'_>, is_frozen: bool, cx: &mut Task<'_>) -> Delivery {
        self.reader = Some(cx.waker().clone());
        if self.faults.cut_at.is_some_and(|at| self.delivered >= at) {
            return Delivery::Cut;
        }
        if self.swallows() {
            self.disturbed_at.get_or_insert_with(Instant::now);
            self.in_flight.clear();
            self.wake_writer();
            return Delivery::Pending;
        }
        if is_frozen || self.is_held(cx) {
            return Delivery::Pending;
        }
        let arrived = self.arrived(cx);
        if arrived == 0 {
            return match self.is_finished && self.in_flight.is_empty() {
                true => Delivery::End,
                false => Delivery::Pending,
            };
        }
        let mut count = arrived.min(buf.remaining());
        if let Some(next) = self.next_fault() {
            count = count.min(usize::try_from(next - self.delivered).unwrap_or(usize::MAX));
        }
        if let Some((from, Trickle { bytes, every })) = self.faults.trickle
            && self.delivered >= from
        {
            count = count.min(bytes);
            self.disturbed_at.get_or_insert_with(Instant::now);
            self.held_until = Some(Instant::now() + every);
        }
        let (front, back) = self.in_flight.as_slices();
        let from_front = count.min(front.len());
        buf.put_slice(&front[..from_front]);
        buf.put_slice(&back[..count - from_front]);
        self.in_flight.drain(..count);
        self.delivered += count as u64;
        self.wake_writer();
        Delivery::Bytes
    }

    /// Returns true during a stall, and between two deliveries to a slow reader.
    fn is_held(&mut self, cx: &mut Task<'_>) -> bool {
        if let Some((at, time)) = self.faults.stall
            && self.delivered >= at
        {
            self.faults.stall = None;
            self.disturbed_at.get_or_insert_with(Instant::now);
            self.held_until = Some(Instant::now() + time);
        }
        let is_held = self.held_until.is_some_and(|until| !self.wait_until(until, cx));
        if !is_held {
            self.held_until = None;
        }
        is_held
    }

    /// Returns true once this time has passed. Otherwise the task is woken then.
    fn wait_until(&mut self, time: Instant, cx: &mut Task<'_>) -> bool {
        if Instant::now() >= time {
            return true;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(time)));
        if timer.deadline() != time {
            timer.as_mut().reset(time);
        }
        timer.as_mut().poll(cx).is_ready()
    }

    /// Returns the number of bytes that have arrived and were not delivered. If others are in flight, the task is woken
    /// at the time of their arrival.
    fn arrived(&mut self, cx: &mut Task<'_>) -> usize {
        if self.faults.latency.is_zero() {
            return self.in_flight.len();
        }
        while let Some(&(position, at)) = self.arrivals.front()
            && self.wait_until(at, cx)
        {
            self.arrived_to = position;
            self.arrivals.pop_front();
        }
        usize::try_from(self.arrived_to.saturating_sub(self.delivered)).unwrap_or(usize::MAX)
    }

    /// Returns the position of the next fault.
    fn next_fault(&self) -> Option<u64> {
        let faults = &self.faults;
        [
            faults.cut_at,
            faults.swallow_from,
            faults.stall.map(|(at, _)| at),
            faults.trickle.map(|(at, _)| at),
        ]
        .into_iter()
        .flatten()
        .filter(|at| *at > self.delivered)
        .min()
    }

    /// Drops the bytes in flight.
    pub(super) fn clear(&mut self) {
        self.in_flight.clear();
        self.arrivals.clear();
        self.arrived_to = self.delivered;
    }

    pub(super) fn wake(&mut self) {
        self.wake_reader();
        self.wake_writer();
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}
