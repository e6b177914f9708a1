//! Clients that all dial at once, on one thread.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::{Duration, Instant},
};

use memchr::memmem;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with},
};

use crate::{
    Error, Result, dial, proc,
    server::Server,
    session::{Acks, Ticket, Welcome},
    wire::{self, Speech},
};

/// Handshakes in progress at a time. More would not fit into the listener's backlog.
const TOGETHER: usize = 1_000;
/// Addresses of the clients: a server bounds the connections of one address that have not sent a request yet.
const ADDRESSES: usize = 50;
const PATIENCE: Duration = Duration::from_secs(25);

#[derive(Debug)]
struct Member {
    stream: TcpStream,
    read: Vec<u8>,
    /// Handshake to write when the socket is connected.
    request: Option<String>,
    /// `None` until the server has accepted the client.
    ticket: Option<Ticket>,
}

/// Clients that the server has accepted.
#[derive(Debug)]
pub(crate) struct Crowd {
    members: Vec<Member>,
}

impl Crowd {
    /// Dials for each of `count` clients, with as many handshakes in progress as the backlog holds. With tickets, each asks
    /// for its session, and it is an error if one is not resumed. Each acknowledges its welcome.
    pub(crate) fn dial(
        addr: SocketAddr,
        speech: Speech,
        count: usize,
        tickets: Option<&[Ticket]>,
    ) -> Result<Self> {
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(TOGETHER);
        let mut members: Vec<Member> = Vec::with_capacity(count);
        let (mut accepted, end) = (0, Instant::now() + PATIENCE);
        while accepted < count {
            while members.len() < count && members.len() - accepted < TOGETHER {
                let index = members.len();
                let ticket = tickets.map(|tickets| &tickets[index]);
                let mut stream = begin(addr, index)?;
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, Token(index), interest)?;
                members.push(Member {
                    stream,
                    read: Vec::new(),
                    request: Some(dial::handshake(addr, speech, "member", ticket)),
                    ticket: None,
                });
            }
            match poll.poll(&mut events, Some(Duration::from_millis(100))) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ if proc::interrupted() => return Err(Error::Interrupted),
                _ if Instant::now() > end => {
                    return Err(Error::Failed(format!("{accepted} of {count} were accepted")));
                }
                _ => (),
            }
            for event in &events {
                let index = event.token().0;
                let resumes = tickets.map(|tickets| &tickets[index]);
                accepted += usize::from(members[index].proceed(speech, resumes)?);
            }
        }
        Ok(Self { members })
    }

    /// Returns the way back of each client.
    pub(crate) fn tickets(&self) -> Vec<Ticket> {
        let tickets = self.members.iter().map(|member| member.ticket.clone());
        tickets.map(Option::unwrap_or_default).collect()
    }

    /// Leaves: each client's session ends. Waits until the server has closed all sockets.
    pub(crate) fn leave(self) -> Result<()> {
        let close = [&1_000_u16.to_be_bytes()[..], b"bye"].concat();
        let close = wire::masked(8, &close);
        for mut member in self.members {
            member.stream.write_all(&close)?;
            let mut stream = std::net::TcpStream::from(member.stream);
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut rest = [0; 512];
            while stream.read(&mut rest)? > 0 {}
        }
        Ok(())
    }

    /// Cuts all connections, and waits until the server has noticed. `before` is the number of its other sockets.
    pub(crate) fn cut(self, server: &Server, before: usize) -> Result<()> {
        drop(self.members);
        let end = Instant::now() + PATIENCE;
        while proc::sockets(server.pid()) > before {
            if Instant::now() > end || proc::interrupted() {
                return Err(Error::Failed("sockets are left after all were cut".into()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Member {
    /// Goes on with the handshake. Returns true when the server has accepted the client.
    fn proceed(&mut self, speech: Speech, back: Option<&Ticket>) -> Result<bool> {
        if self.ticket.is_some() {
            return Ok(false);
        }
        if let Some(request) = &self.request {
            // The socket buffer of a new connection takes all of it.
            match self.stream.write_all(request.as_bytes()) {
                Ok(()) => self.request = None,
                Err(error) if is_early(error.kind()) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        let mut buffer = [0; 4 << 10];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    let said = String::from_utf8_lossy(&self.read).into_owned();
                    return Err(Error::Failed(format!("the server refused a client: {said}")));
                }
                Ok(read) => self.read.extend_from_slice(&buffer[..read]),
                Err(error) if is_early(error.kind()) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let Some(end) = memmem::find(&self.read, b"\r\n\r\n") else {
            return Ok(false);
        };
        if !self.read.starts_with(b"HTTP/1.1 101") {
            let answer = String::from_utf8_lossy(&self.read).into_owned();
            return Err(Error::Failed(format!("no upgrade: {answer}")));
        }
        if speech == Speech::Zocket {
            self.ticket = Some(Ticket::default());
            return Ok(true);
        }
        let frames = &self.read[end + 4..];
        let Some(frame) = wire::parse(frames).map_err(|error| Error::Failed(error.into()))? else {
            return Ok(false);
        };
        let payload = &frames[frame.start..frame.end];
        let Some(welcome) = Welcome::read(payload) else {
            let said = String::from_utf8_lossy(payload).into_owned();
            return Err(Error::Failed(format!("no welcome: {said}")));
        };
        let mut ticket = Ticket::default();
        if speech == Speech::Resume {
            ticket = Ticket {
                token: welcome.session(back.is_some())?,
                received: back.map_or(0, |back| back.received),
            };
            let mut ack = Vec::new();
            Acks::after(ticket.received).write(&mut ack);
            self.stream.write_all(&ack)?;
        }
        (self.read, self.ticket) = (Vec::new(), Some(ticket));
        Ok(true)
    }
}

/// Begins to connect, without a wait.
fn begin(addr: SocketAddr, index: usize) -> Result<TcpStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = || -> rustix::io::Result<_> {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        let last = 2 + (index % ADDRESSES) as u8;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last), 0))?;
        match connect(&socket, &addr) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(error),
        }
    };
    let socket = socket().map_err(std::io::Error::from)?;
    Ok(TcpStream::from_std(socket.into()))
}

fn is_early(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted
    )
}
