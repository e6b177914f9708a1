//! A NATS server as a process of a test.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses what it needs")]

use std::{
    env, fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpStream, time::sleep};
use zocket::cluster::{NatsHub, NatsOptions};

/// A server on a free port. Dropping it kills the server.
pub(crate) struct Nats {
    pub(crate) port: u16,
    child: Child,
}

impl Nats {
    pub(crate) async fn start() -> Self {
        Self::start_at(free_port()).await
    }

    pub(crate) async fn start_at(port: u16) -> Self {
        Self::start_with(port, &[]).await
    }

    /// Starts servers of one cluster.
    pub(crate) async fn cluster(size: usize) -> Vec<Self> {
        let routes: Vec<_> = (0..size).map(|_| free_port()).collect();
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
            servers.push(Self::start_with(free_port(), &arguments).await);
        }
        servers
    }

    async fn start_with(port: u16, arguments: &[&str]) -> Self {
        let child = Command::new(program())
            .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server: install Debian's package `nats-server`");
        let server = Self { port, child };
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
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

/// Debian installs it outside of a user's `PATH`.
fn program() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into()]);
    let programs = folders.map(|folder| folder.join("nats-server"));
    programs
        .into_iter()
        .find(|program| fs::metadata(program).is_ok())
        .unwrap_or_else(|| "nats-server".into())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
