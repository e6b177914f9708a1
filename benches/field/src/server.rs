//! The compared servers and their processes.

use std::{
    env, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::net::TcpSocket;

use crate::{Error, Result, proc, wire::Speech};

/// One of the compared servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Zocket,
    /// The same server, whose clients speak the extended protocol.
    ZocketExtended,
    /// The same server, whose clients resume their sessions.
    ZocketResume,
    Tungstenite,
    Axum,
    Bun,
    Socketioxide,
    SocketIo,
    Upgrade,
}

impl Peer {
    pub(crate) const ALL: [Self; 9] = [
        Self::Zocket,
        Self::ZocketExtended,
        Self::ZocketResume,
        Self::Tungstenite,
        Self::Axum,
        Self::Bun,
        Self::Socketioxide,
        Self::SocketIo,
        Self::Upgrade,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zocket => "zocket",
            Self::ZocketExtended => "zocket-extended",
            Self::ZocketResume => "zocket-resume",
            Self::Tungstenite => "tungstenite",
            Self::Axum => "axum",
            Self::Bun => "bun",
            Self::Socketioxide => "socketioxide",
            Self::SocketIo => "socket.io",
            Self::Upgrade => "upgrade",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|peer| peer.name() == name)
    }

    pub(crate) fn speech(self) -> Speech {
        match self {
            Self::ZocketExtended => Speech::Extended,
            Self::ZocketResume => Speech::Resume,
            Self::Socketioxide | Self::SocketIo => Speech::SocketIo,
            _ => Speech::Zocket,
        }
    }

    /// Returns the command that starts it. The error names the missing program.
    fn command(self) -> Result<Command> {
        let here = env::current_exe()?;
        let built = |name: &str| -> Result<Command> {
            let bins = here.parent().unwrap_or(Path::new("."));
            let path = bins.join(name);
            if path.exists() {
                Ok(Command::new(path))
            } else {
                Err(Error::Missing(format!("{} is not built", path.display())))
            }
        };
        match self {
            Self::Zocket | Self::ZocketExtended | Self::ZocketResume => built("examples/bench_server"),
            Self::Tungstenite => built("peer_tungstenite"),
            Self::Axum => built("peer_axum"),
            Self::Socketioxide => built("peer_socketioxide"),
            Self::Upgrade => built("peer_upgrade"),
            Self::Bun => {
                let mut command = Command::new(installed("node_modules/.bin/bun")?);
                command.arg(folder().join("bun.js"));
                Ok(command)
            }
            Self::SocketIo => {
                installed("node_modules/socket.io")?;
                let mut command = Command::new("node");
                command.arg(folder().join("socketio.mjs"));
                Ok(command)
            }
        }
    }

    /// Checks if it can be started here. The error gives the reason.
    pub(crate) fn available(self) -> Result<()> {
        self.command().map(drop)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

fn installed(path: &str) -> Result<PathBuf> {
    let path = folder().join(path);
    match fs::canonicalize(&path) {
        Ok(path) => Ok(path),
        Err(_) => Err(Error::Missing(format!("{} is not installed", path.display()))),
    }
}

/// Processors and number of workers of a server.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) cores: Vec<usize>,
    pub(crate) workers: usize,
    /// Processors of the load.
    pub(crate) load: Vec<usize>,
}

/// A process that listens. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    /// Starts a program on the servers' processors, and waits until it listens.
    pub(crate) fn start(mut command: Command, name: &str, addr: SocketAddr, place: &Place) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        // A child inherits its parent thread's affinity.
        proc::pin(&place.cores)?;
        let child = command.spawn();
        proc::pin(&place.load)?;
        let mut process = Self(child?);
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            if TcpStream::connect_timeout(&addr, Duration::from_secs(1)).is_ok() {
                return Ok(process);
            }
            if let Some(status) = process.0.try_wait()? {
                return Err(Error::Failed(format!("{name} ended at once: {status}")));
            }
            if Instant::now() > deadline || proc::interrupted() {
                return Err(Error::Failed(format!("{name} does not listen")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server's process.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    pub(crate) peer: Peer,
    pub(crate) addr: SocketAddr,
}

impl Server {
    /// Starts a server, and waits until it listens.
    pub(crate) fn start(peer: Peer, place: &Place) -> Result<Self> {
        Self::start_with(peer, place, None)
    }

    /// Starts a server with a further variable of its environment.
    pub(crate) fn start_with(peer: Peer, place: &Place, variable: Option<(&str, String)>) -> Result<Self> {
        let addr = free_address()?;
        let mut command = peer.command()?;
        command
            .env("ADDR", addr.to_string())
            .env("TOKIO_WORKER_THREADS", place.workers.to_string())
            .env("RUST_LOG", "warn")
            .envs(variable);
        let process = Process::start(command, peer.name(), addr, place)?;
        Ok(Self { process, peer, addr })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// Returns an address that no other process is given. Until this one ends, a socket is bound to it that does not listen, which
/// leaves it to a server.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    static HELD: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let addr = socket.local_addr()?;
    HELD.lock().push(socket);
    Ok(addr)
}
