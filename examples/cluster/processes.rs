//! The processes: NATS and the nodes. They end with this one.

use std::{collections::BTreeMap, env, error::Error, io, net::SocketAddr, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpSocket, TcpStream},
    process::{Child, Command},
    time::sleep,
};

use crate::nats_server::nats_server;

pub(crate) struct Processes {
    nats: String,
    _port: TcpSocket,
    _server: Child,
    nodes: BTreeMap<String, Child>,
}

impl Processes {
    /// Starts NATS on a free port.
    pub(crate) async fn start_nats() -> Result<Self, Box<dyn Error>> {
        // Bound, so that no other process is given the port, and without a listener, so that NATS can have it.
        let port = TcpSocket::new_v4()?;
        port.set_reuseaddr(true)?;
        port.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let free = port.local_addr()?;
        let server = Command::new(nats_server()?)
            .args(["--addr", "127.0.0.1", "--port", &free.port().to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        while TcpStream::connect(free).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Self {
            nats: format!("nats://{free}"),
            _port: port,
            _server: server,
            nodes: BTreeMap::new(),
        })
    }

    /// Returns true if the node runs.
    pub(crate) fn has(&mut self, name: &str) -> bool {
        let node = self.nodes.get_mut(name);
        node.is_some_and(|node| matches!(node.try_wait(), Ok(None)))
    }

    /// Starts a node. Its log appears here, each line after its name. Returns its address.
    pub(crate) async fn start_node(&mut self, name: &str) -> io::Result<SocketAddr> {
        let mut node = Command::new(env::current_exe()?)
            .args([name, &self.nats])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = node.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let stderr = node.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (mut log, label) = (BufReader::new(stderr).lines(), name.to_owned());
        tokio::spawn(async move {
            while let Ok(Some(line)) = log.next_line().await {
                eprintln!("{label} {line}");
            }
        });
        let line = BufReader::new(stdout)
            .lines()
            .next_line()
            .await?
            .unwrap_or_default();
        let addr = line.parse().map_err(io::Error::other)?;
        self.nodes.insert(name.to_owned(), node);
        Ok(addr)
    }

    /// Kills a node, as a crash would.
    pub(crate) async fn kill(&mut self, name: &str) -> io::Result<()> {
        match self.nodes.get_mut(name) {
            Some(node) => node.kill().await,
            None => Ok(()),
        }
    }

    /// Ends a node gracefully, by the end of its input. In production this is a SIGTERM.
    pub(crate) async fn stop(&mut self, name: &str) -> io::Result<()> {
        match self.nodes.get_mut(name) {
            // Waiting closes the input.
            Some(node) => node.wait().await.map(drop),
            None => Ok(()),
        }
    }
}
