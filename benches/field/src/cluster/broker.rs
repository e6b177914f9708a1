//! The servers between nodes: NATS and Redis.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

use serde::Deserialize;

use crate::{
    Error, Result,
    server::{Place, Process, free_address},
};

/// A server between nodes, which listens on the loopback interface only.
#[derive(Debug)]
pub(crate) struct Broker {
    process: Process,
    pub(crate) url: String,
    /// Address of NATS's monitoring endpoint.
    monitor: Option<SocketAddr>,
}

/// Figures that NATS reports of itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Varz {
    pub(crate) connections: u64,
    pub(crate) subscriptions: u64,
    pub(crate) in_msgs: u64,
    pub(crate) out_msgs: u64,
}

impl Broker {
    pub(crate) fn nats(place: &Place) -> Result<Self> {
        let (addr, monitor) = (free_address()?, free_address()?);
        let mut command = installed("nats-server")?;
        command
            .args(["--addr", &addr.ip().to_string()])
            .args(["--port", &addr.port().to_string()])
            .args(["--http_port", &monitor.port().to_string()])
            .args(["--log", "/dev/null"]);
        let process = Process::start(command, "nats-server", addr, place)?;
        Ok(Self {
            process,
            url: format!("nats://{addr}"),
            monitor: Some(monitor),
        })
    }

    pub(crate) fn redis(place: &Place) -> Result<Self> {
        let addr = free_address()?;
        let mut command = installed("redis-server")?;
        command
            .args(["--bind", &addr.ip().to_string()])
            .args(["--port", &addr.port().to_string()])
            .args(["--save", "", "--appendonly", "no"]);
        let process = Process::start(command, "redis-server", addr, place)?;
        Ok(Self {
            process,
            url: format!("redis://{addr}"),
            monitor: None,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Returns NATS's figures, which it counts as of now.
    pub(crate) fn varz(&self) -> Result<Varz> {
        let monitor = self
            .monitor
            .ok_or_else(|| Error::Failed("it has no monitoring endpoint".into()))?;
        let body = get(monitor, "/varz")?;
        serde_json::from_str(&body).map_err(|error| Error::Failed(format!("/varz: {error}")))
    }
}

/// Finds a program. Debian puts servers into a folder that is not in every user's path.
fn installed(program: &str) -> Result<Command> {
    let places = [program.to_owned(), format!("/usr/sbin/{program}")];
    let found = places
        .iter()
        .find(|place| Command::new(place).arg("--version").output().is_ok());
    match found {
        Some(place) => Ok(Command::new(place)),
        None => Err(Error::Missing(format!("{program} is not installed"))),
    }
}

/// Returns the body of an HTTP answer. HTTP/1.0 has no chunks.
fn get(addr: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&addr, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {addr}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.0 200") => Ok(body.to_owned()),
        _ => Err(Error::Failed(format!(
            "{path}: {}",
            answer.lines().next().unwrap_or_default()
        ))),
    }
}
