//! Setup of connections: blocking, with a deadline for each wait.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use memchr::memmem;

use crate::{
    Error, Result, proc,
    session::{Acks, Ticket, Welcome, offers},
    wire::{self, Speech},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A connection for one call at a time.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    /// Bytes that were read and not consumed.
    pub(crate) read: Vec<u8>,
    speech: Speech,
    acks: Acks,
}

impl Client {
    /// Connects as `user`, and completes the handshake of the app's protocol.
    pub(crate) fn connect(addr: SocketAddr, speech: Speech, user: &str) -> Result<Self> {
        let mut client = Self::upgrade(addr, speech, user)?;
        match speech {
            Speech::Zocket => {}
            Speech::SocketIo => {
                client.take(|payload| payload.starts_with(b"0"))?;
                client.send(&wire::masked(1, b"40"))?;
                client.take(|payload| payload.starts_with(b"40"))?;
            }
            Speech::Extended => client.take(|payload| Welcome::read(payload).is_some())?,
            Speech::Resume => {
                client.take(|payload| Welcome::read(payload).is_some_and(|it| it.session(false).is_ok()))?;
                client.acknowledge()?;
            }
        }
        Ok(client)
    }

    /// Connects, and completes the WebSocket handshake.
    pub(crate) fn upgrade(addr: SocketAddr, speech: Speech, user: &str) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut client = Self {
            stream,
            read: Vec::new(),
            speech,
            acks: Acks::default(),
        };
        let request = handshake(addr, speech, user, None);
        client.send(request.as_bytes())?;
        let deadline = Instant::now() + PATIENCE;
        let end = loop {
            if let Some(end) = memmem::find(&client.read, b"\r\n\r\n") {
                break end + 4;
            }
            client.more(deadline)?;
        };
        if !client.read.starts_with(b"HTTP/1.1 101") {
            let answer = String::from_utf8_lossy(&client.read[..end]).into_owned();
            return Err(Error::Failed(format!(
                "no upgrade: {}",
                answer.lines().next().unwrap_or_default()
            )));
        }
        client.read.drain(..end);
        Ok(client)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Sends a call, and waits for its answer.
    pub(crate) fn call(&mut self, frame: &[u8]) -> Result<()> {
        self.send(frame)?;
        self.answer()
    }

    /// Waits for an answer.
    pub(crate) fn answer(&mut self) -> Result<()> {
        let speech = self.speech;
        self.take(|payload| wire::is_answer(speech, payload))
    }

    /// Reads until a message matches.
    fn take(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(frame) = wire::parse(&self.read).map_err(|error| Error::Failed(error.into()))? {
                let payload = &self.read[frame.start..frame.end];
                if frame.opcode == 8 || payload.starts_with(br#"{"type":"__rpc_err""#) {
                    let said = String::from_utf8_lossy(payload).into_owned();
                    return Err(Error::Failed(format!("the server refused: {said}")));
                }
                let found = wanted(payload);
                if self.speech == Speech::Resume {
                    self.acks.count(0, payload);
                }
                let beat = self.speech == Speech::SocketIo && payload == b"2";
                self.read.drain(..frame.end);
                if beat {
                    self.send(&wire::masked(1, b"3"))?;
                }
                if found {
                    return Ok(());
                }
            }
            self.more(deadline)?;
        }
    }

    fn more(&mut self, deadline: Instant) -> Result<()> {
        if Instant::now() > deadline || proc::interrupted() {
            return Err(Error::Failed("the server does not answer".into()));
        }
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(Error::Failed("the server closed a connection".into())),
            Ok(read) => {
                self.read.extend_from_slice(&buffer[..read]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Closes as a browser does, and reads until the server has closed.
    pub(crate) fn close(mut self) -> Result<()> {
        self.send(&wire::masked(8, &1_000_u16.to_be_bytes()))?;
        self.stream.shutdown(std::net::Shutdown::Write)?;
        let mut rest = [0; 256];
        while self.stream.read(&mut rest)? > 0 {}
        Ok(())
    }

    /// Acknowledges all frames, if the client resumes its session.
    pub(crate) fn acknowledge(&mut self) -> Result<()> {
        if self.speech != Speech::Resume {
            return Ok(());
        }
        let mut ack = Vec::new();
        self.acks.write(&mut ack);
        self.send(&ack)
    }

    /// Returns the socket in non-blocking mode, with the bytes that were already read, and the frames to acknowledge, for
    /// the engine.
    pub(crate) fn into_parts(self) -> Result<(TcpStream, Vec<u8>, Acks)> {
        self.stream.set_nonblocking(true)?;
        Ok((self.stream, self.read, self.acks))
    }
}

/// Returns the request of a handshake. With a ticket, it asks for that session.
pub(crate) fn handshake(addr: SocketAddr, speech: Speech, user: &str, back: Option<&Ticket>) -> String {
    let path = match speech {
        Speech::Zocket | Speech::Extended | Speech::Resume => "/ws?",
        Speech::SocketIo => "/socket.io/?EIO=4&transport=websocket&",
    };
    let offers = offers(speech, back).map(|offers| format!("Sec-WebSocket-Protocol: {offers}\r\n"));
    format!(
        "GET {path}user={user} HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\n{}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        offers.unwrap_or_default()
    )
}
