//! Nodes as processes: killed, and restarted one after the other behind a balancer.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    task::JoinSet,
    time::{sleep, timeout},
};
use zocket::{
    Outgoing,
    client::{CallError, Client, Sent},
};

use crate::nats::Nats;

const PATIENCE: Duration = Duration::from_secs(30);
/// Clients of each test.
const CLIENTS: usize = 100;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Said(u32);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// A node. Dropping it kills the process.
struct Node {
    addr: SocketAddr,
    child: Child,
}

impl Node {
    async fn start(nats: &Nats) -> Self {
        let mut child = Command::new(program())
            .arg(nats.url())
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
    async fn restart(mut self) {
        let pid = self.child.id().unwrap().to_string();
        let signalled = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(signalled.unwrap().success());
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
    }

    async fn client(&self) -> Client {
        connect(self.addr).await
    }
}

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    target.join("examples/cluster_node")
}

/// A balancer of TCP connections, which takes the nodes in turn.
struct Balancer {
    addr: SocketAddr,
    nodes: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Balancer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let nodes = Arc::<Mutex<Vec<SocketAddr>>>::default();
        let (targets, turn) = (nodes.clone(), AtomicUsize::new(0));
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                let target = {
                    let targets = targets.lock();
                    targets.get(turn % targets.len().max(1)).copied()
                };
                tokio::spawn(async move {
                    // Without a node, or with one that is gone, the client comes again.
                    if let Some(target) = target
                        && let Ok(mut node) = TcpStream::connect(target).await
                    {
                        drop(copy_bidirectional(&mut client, &mut node).await);
                    }
                });
            }
        });
        Self { addr, nodes }
    }

    fn add(&self, node: &Node) {
        self.nodes.lock().push(node.addr);
    }

    fn remove(&self, node: &Node) {
        self.nodes.lock().retain(|addr| *addr != node.addr);
    }
}

/// Connects a client that is in the room on each connection.
async fn connect(addr: SocketAddr) -> Client {
    let builder =
        Client::builder(format!("ws://{addr}/")).backoff(Duration::from_millis(50), Duration::from_secs(1));
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
async fn until_size(client: &Client, expected: usize) {
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
    balancer.add(&a);
    balancer.add(&b);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(connect(balancer.addr).await);
    }
    let sender = b.client().await;
    until_size(&sender, CLIENTS + 1).await;
    balancer.remove(&a);
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

/// Numbers of a client's calls by their end.
#[derive(Debug, Default)]
struct Calls {
    answered: usize,
    repeatable: usize,
    unknown: usize,
}

#[tokio::test]
async fn a_rolling_restart_answers_every_call_or_says_what_became_of_it() {
    let nats = Nats::start().await;
    let (mut a, mut b) = (Node::start(&nats).await, Node::start(&nats).await);
    let balancer = Balancer::start().await;
    balancer.add(&a);
    balancer.add(&b);
    let stop = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = connect(balancer.addr).await;
        let stop = stop.clone();
        load.spawn(async move {
            let mut calls = Calls::default();
            while !stop.load(Ordering::Relaxed) {
                match client.call_route::<()>("work", &json!(null)).await {
                    Ok(()) => calls.answered += 1,
                    Err(CallError::Refused(refusal)) if refusal.is(zocket::Code::OVERLOADED) => {
                        calls.repeatable += 1
                    }
                    Err(CallError::Disconnected { sent: Sent::No }) => calls.repeatable += 1,
                    Err(CallError::Disconnected { sent: Sent::Unknown }) => calls.unknown += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            calls
        });
    }
    for _ in 0..2 {
        // Clients of the node that stays miss no event of it.
        let (sender, listener) = (b.client().await, b.client().await);
        let mut events = listener.on::<Said>();
        until_size(&sender, CLIENTS + 2).await;
        balancer.remove(&a);
        let restart = tokio::spawn(a.restart());
        let mut said = 0;
        while !restart.is_finished() {
            sender
                .call_route::<()>("say", &json!({ "number": said }))
                .await
                .unwrap();
            said += 1;
        }
        restart.await.unwrap();
        for expected in 0..said {
            let event = timeout(PATIENCE, events.next()).await.expect("an event is lost");
            assert_eq!(event.unwrap().unwrap().0, expected);
        }
        assert!(said > 0);
        let fresh = Node::start(&nats).await;
        balancer.add(&fresh);
        (a, b) = (b, fresh);
    }
    stop.store(true, Ordering::Relaxed);
    let calls = load.join_all().await;
    assert_eq!(calls.len(), CLIENTS);
    for calls in calls {
        // A call that crosses the Close of its node is unknown: one for each of the two restarts at most.
        assert!(calls.answered > 0 && calls.unknown <= 2, "{calls:?}");
    }
    drop((a, b));
}
