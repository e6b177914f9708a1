//! Nodes as processes behind a balancer, and the death of one.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinSet,
    time::{sleep, timeout},
};
use zocket::{Outgoing, client::Client};

use crate::{balancer::Balancer, nats::Nats};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Clients of each test.
const CLIENTS: usize = 100;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Said(pub(crate) u32);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// A node. Dropping it kills the process.
pub(crate) struct Node {
    pub(crate) addr: SocketAddr,
    child: Child,
}

impl Node {
    pub(crate) async fn start(nats: &Nats) -> Self {
        Self::start_with(nats, None).await
    }

    /// Starts a node that appends the effects of its calls to a file.
    pub(crate) async fn start_recording(nats: &Nats, effects: &Path) -> Self {
        Self::start_with(nats, Some(effects)).await
    }

    async fn start_with(nats: &Nats, effects: Option<&Path>) -> Self {
        let mut child = many_descriptors(&program("cluster_node"))
            .arg(nats.url())
            .args(effects)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("cargo builds the example `cluster_node` before the tests run");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        let addr = line.strip_prefix("listening on ").unwrap().parse().unwrap();
        Self { addr, child }
    }

    /// Ends the node as a service manager does, and waits for its end.
    pub(crate) async fn restart(mut self) {
        let pid = self.child.id().unwrap().to_string();
        // The shell's own `kill`: there may be no program of this name.
        let kill = Command::new("sh").args(["-c", "kill -TERM $0", &pid]).status();
        let signalled = kill.await;
        assert!(signalled.unwrap().success());
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
    }

    pub(crate) async fn client(&self) -> Client {
        connect(self.addr).await
    }
}

/// Returns the path of an example.
pub(crate) fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    target.join("examples").join(name)
}

/// Returns a command for a program that opens thousands of connections.
pub(crate) fn many_descriptors(program: &Path) -> Command {
    let script = r#"ulimit -n 8192 || ulimit -n "$(ulimit -H -n)"; exec "$0" "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(program);
    command
}

/// Limit of a process's descriptors.
#[derive(Clone, Copy)]
pub(crate) enum Descriptors {
    /// Of this process.
    Own,
    /// Of those that [`many_descriptors`] starts.
    Many,
}

/// Returns how many of these clients can be connected through a balancer in the same process: each costs three descriptors.
pub(crate) fn permitted(clients: usize, descriptors: Descriptors) -> usize {
    const OTHERS: usize = 200;
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let limits = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let mut limits = limits.unwrap().split_whitespace();
    let limit = match descriptors {
        Descriptors::Own => limits.next(),
        Descriptors::Many => limits.nth(1),
    };
    // The only word is `unlimited`.
    let limit = limit.unwrap().parse().unwrap_or(usize::MAX);
    clients.min(limit.saturating_sub(OTHERS) / 3)
}

/// Connects a client that is in the room on each connection.
pub(crate) async fn connect(addr: SocketAddr) -> Client {
    let builder = Client::builder(format!("ws://{addr}/"))
        .call_timeout(2 * PATIENCE)
        .event_buffer(1 << 16)
        .backoff(Duration::from_millis(50), Duration::from_secs(1));
    let join = async |client: Client, _| {
        // If the connection has broken again, the next one joins.
        drop(client.call_route::<()>("join", &json!(null)).await);
    };
    builder.on_open(join).connect().await.unwrap()
}

async fn size(client: &Client) -> usize {
    client.call_route("size", &json!(null)).await.unwrap()
}

/// Waits until the room has this many members, without those of nodes that are gone.
pub(crate) async fn until_size(client: &Client, expected: usize) {
    let waited = timeout(PATIENCE, async {
        while size(client).await != expected {
            sleep(Duration::from_millis(50)).await;
        }
    });
    if waited.await.is_err() {
        panic!("expected {expected} members, got {}", size(client).await);
    }
}

#[tokio::test]
async fn clients_of_a_killed_node_come_back_on_another() {
    let nats = Nats::start().await;
    let (a, b) = (Node::start(&nats).await, Node::start(&nats).await);
    let balancer = Balancer::start().await;
    balancer.add(a.addr);
    balancer.add(b.addr);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(connect(balancer.addr).await);
    }
    let sender = b.client().await;
    until_size(&sender, CLIENTS + 1).await;
    balancer.remove(a.addr);
    drop(a);
    // No ghost of the killed node stays in the room, and nobody is missing.
    until_size(&sender, CLIENTS + 1).await;
    let mut heard = JoinSet::new();
    for client in clients {
        client.ready().await.unwrap();
        let mut events = client.on::<Said>();
        heard.spawn(async move {
            let event = timeout(PATIENCE, events.next()).await.expect("it hears nothing");
            drop(client);
            event.unwrap().unwrap().0
        });
    }
    sender
        .call_route::<()>("say", &json!({ "number": 7 }))
        .await
        .unwrap();
    assert_eq!(heard.join_all().await, [7; CLIENTS]);
}
