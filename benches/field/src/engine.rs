//! Many connections on one thread: each turn reads once, handles all frames, and writes once.

use std::{
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::{
    Error, Result,
    dial::Client,
    proc,
    session::{self, Acks},
    wire::{self, Speech},
};

/// A load: it reacts to frames, and counts.
pub(crate) trait Load {
    /// Sends the first messages, also after a stop, once nothing is missing.
    fn begin(&mut self, clock: Clock, out: &mut Out);
    /// Handles a text frame of a connection.
    fn frame(&mut self, now: u64, connection: usize, payload: &[u8], out: &mut Out) -> Result<()>;
    /// Resets the counters at the start of the measured window.
    fn reset(&mut self);
    /// Stops sending.
    fn stop(&mut self);
    /// Returns the number of requests or deliveries since `reset`.
    fn count(&self) -> u64;
    /// Returns the number of messages sent without their answers or deliveries.
    fn missing(&self) -> u64;
}

/// Nanoseconds since the engine's start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// Bytes to write, per connection.
#[derive(Debug, Default)]
pub(crate) struct Out {
    buffers: Vec<Vec<u8>>,
    /// Connections with bytes to write.
    dirty: Vec<usize>,
}

impl Out {
    pub(crate) fn to(&mut self, connection: usize) -> &mut Vec<u8> {
        let buffer = &mut self.buffers[connection];
        if buffer.is_empty() {
            self.dirty.push(connection);
        }
        buffer
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// The beginning of an incomplete frame.
    partial: Vec<u8>,
    acks: Acks,
}

/// The connections of one run.
#[derive(Debug)]
pub(crate) struct Engine {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    out: Out,
    buffer: Vec<u8>,
    speech: Speech,
    pub(crate) clock: Clock,
}

impl Engine {
    pub(crate) fn new(speech: Speech) -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(256),
            connections: Vec::new(),
            out: Out::default(),
            buffer: vec![0; 256 << 10],
            speech,
            clock: Clock::start(),
        })
    }

    /// Opens `count` connections, and calls `prepare` with each before the engine takes it.
    pub(crate) fn connect(
        &mut self,
        addr: SocketAddr,
        count: usize,
        mut prepare: impl FnMut(usize, &mut Client) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..count {
            let index = self.connections.len();
            let mut client = Client::connect(addr, self.speech, &format!("u{index}"))?;
            prepare(index, &mut client)?;
            let (stream, partial, acks) = client.into_parts()?;
            let mut stream = TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut stream, Token(index), interest)?;
            self.connections.push(Connection {
                stream,
                partial,
                acks,
            });
            self.out.buffers.push(Vec::new());
        }
        Ok(())
    }

    pub(crate) fn begin(&mut self, load: &mut impl Load) -> Result<()> {
        load.begin(self.clock, &mut self.out);
        self.flush()
    }

    /// Handles the sockets' events, or waits for them for a short time.
    pub(crate) fn turn(&mut self, wait: Duration, load: &mut impl Load) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ if proc::interrupted() => return Err(Error::Interrupted),
            _ => (),
        }
        let events: Vec<_> = self
            .events
            .iter()
            .map(|event| (event.token().0, event.is_readable(), event.is_writable()))
            .collect();
        for (index, readable, writable) in events {
            if readable {
                self.read(index, load)?;
            }
            if writable && !self.out.buffers[index].is_empty() {
                self.write(index)?;
            }
            self.flush()?;
        }
        Ok(())
    }

    fn read(&mut self, index: usize, load: &mut impl Load) -> Result<()> {
        loop {
            let connection = &mut self.connections[index];
            let kept = connection.partial.len();
            if self.buffer.len() < kept + (64 << 10) {
                self.buffer.resize(kept + (64 << 10), 0);
            }
            self.buffer[..kept].copy_from_slice(&connection.partial);
            let room = self.buffer.len() - kept;
            let read = match connection.stream.read(&mut self.buffer[kept..]) {
                Ok(0) => return Err(Error::Failed("the server closed a connection".into())),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let end = kept + read;
            let used = self.frames(index, end, load)?;
            let partial = &mut self.connections[index].partial;
            partial.clear();
            partial.extend_from_slice(&self.buffer[used..end]);
            // A short read has emptied the socket: later bytes raise a new event.
            if read < room {
                return Ok(());
            }
        }
    }

    fn frames(&mut self, index: usize, end: usize, load: &mut impl Load) -> Result<usize> {
        let now = self.clock.now();
        let mut at = 0;
        while let Some(frame) =
            wire::parse(&self.buffer[at..end]).map_err(|error| Error::Failed(error.into()))?
        {
            let payload = &self.buffer[at + frame.start..at + frame.end];
            match frame.opcode {
                1 if self.speech == Speech::SocketIo && payload == b"2" => {
                    self.out.to(index).extend(wire::masked(1, b"3"));
                }
                1 if self.speech == Speech::Resume && session::has_no_number(payload) => (),
                1 => {
                    if self.speech == Speech::Resume {
                        self.connections[index].acks.count(now, payload);
                    }
                    load.frame(now, index, payload, &mut self.out)?;
                }
                9 => self.out.to(index).extend(wire::masked(10, payload)),
                8 => {
                    let said = String::from_utf8_lossy(payload).into_owned();
                    return Err(Error::Failed(format!("the server said goodbye: {said}")));
                }
                _ => (),
            }
            at += frame.end;
        }
        let acks = &mut self.connections[index].acks;
        if acks.is_due(now) {
            acks.write(self.out.to(index));
        }
        Ok(at)
    }

    fn flush(&mut self) -> Result<()> {
        while let Some(index) = self.out.dirty.pop() {
            self.write(index)?;
        }
        Ok(())
    }

    fn write(&mut self, index: usize) -> Result<()> {
        let waiting = &mut self.out.buffers[index];
        let mut written = 0;
        while written < waiting.len() {
            match self.connections[index].stream.write(&waiting[written..]) {
                Ok(more) => written += more,
                // The rest is written when the socket is writable.
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => return Err(error.into()),
            }
        }
        if written == waiting.len() {
            waiting.clear();
        } else {
            waiting.drain(..written);
        }
        Ok(())
    }
}
