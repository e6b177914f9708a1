//! A NATS server as a process of a test.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses what it needs")]

use std::{
    env, fs,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};
use zocket::cluster::{NatsHub, NatsOptions};

#[path = "../../examples/nats_server/mod.rs"]
mod nats_server;

use self::nats_server::nats_server;

/// Bound for the start of a server.
const START: Duration = Duration::from_secs(30);

/// A port that no other process is given. A socket is bound to it that does not listen, which leaves it to a server.
#[derive(Clone)]
pub(crate) struct Port(Arc<TcpSocket>);

impl Port {
    pub(crate) fn free() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(Arc::new(socket))
    }

    pub(crate) fn number(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }
}

/// A server on a free port. Dropping it kills the server.
pub(crate) struct Nats {
    pub(crate) port: u16,
    held: Port,
    child: Child,
}

impl Nats {
    pub(crate) async fn start() -> Self {
        Self::start_at(Port::free()).await
    }

    pub(crate) async fn start_at(port: Port) -> Self {
        Self::start_with(port, &[]).await
    }

    /// Ends the server. Another one can start at its port.
    pub(crate) fn end(self) -> Port {
        self.held.clone()
    }

    /// Starts servers of one cluster. Returns once each knows the others.
    pub(crate) async fn cluster(size: usize) -> Vec<Self> {
        let held: Vec<_> = (0..size).map(|_| Port::free()).collect();
        let routes: Vec<_> = held.iter().map(Port::number).collect();
        let urls: Vec<_> = routes
            .iter()
            .map(|port| format!("nats-route://127.0.0.1:{port}"))
            .collect();
        let urls = urls.join(",");
        let mut servers = Vec::new();
        for (number, route) in routes.iter().enumerate() {
            let (name, listen) = (format!("n{number}"), format!("nats://127.0.0.1:{route}"));
            let arguments = [
                "--name",
                &name,
                "--cluster_name",
                "test",
                "--cluster",
                &listen,
                "--routes",
                &urls,
            ];
            servers.push(Self::start_with(Port::free(), &arguments).await);
        }
        let complete = async {
            for server in &servers {
                while server.info().await["connect_urls"].as_array().map_or(0, Vec::len) != size {
                    sleep(Duration::from_millis(20)).await;
                }
            }
        };
        timeout(START, complete)
            .await
            .expect("the servers do not find each other");
        servers
    }

    /// Starts a server with the options of a configuration file.
    pub(crate) async fn start_configured(configuration: &str) -> Self {
        let port = Port::free();
        let file = env::temp_dir().join(format!("zocket-nats-{}.conf", port.number()));
        fs::write(&file, configuration).unwrap();
        let server = Self::start_with(port, &["--config", file.to_str().unwrap()]).await;
        fs::remove_file(file).unwrap();
        server
    }

    /// Starts a server that can open so many files and connections.
    pub(crate) async fn start_with_descriptors(descriptors: usize) -> Self {
        let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(nats_server().unwrap());
        Self::spawn(command, Port::free(), &[]).await
    }

    async fn start_with(port: Port, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(nats_server().unwrap()), port, arguments).await
    }

    async fn spawn(mut command: Command, held: Port, arguments: &[&str]) -> Self {
        let port = held.number();
        let child = command
            .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { port, held, child };
        let listens = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                let ended = server.child.try_wait().unwrap();
                assert!(ended.is_none(), "nats-server has ended: {ended:?}");
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(START, listens).await.expect("nats-server does not start");
        server
    }

    /// Returns what the server says of itself to each new connection.
    pub(crate) async fn info(&self) -> Value {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let (mut reader, mut line) = (BufReader::new(stream), String::new());
        timeout(START, reader.read_line(&mut line))
            .await
            .expect("nats-server is silent")
            .unwrap();
        serde_json::from_str(line.strip_prefix("INFO ").unwrap()).unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Returns the number of files and connections that the server has open.
    pub(crate) fn descriptors(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        open.unwrap().count()
    }

    /// Connects a node.
    pub(crate) async fn node(&self) -> Arc<NatsHub> {
        NatsHub::connect(&*self.url(), NatsOptions::default())
            .await
            .unwrap()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
