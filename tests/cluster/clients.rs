//! Clients as a process of their own: `tests/cluster/crowd.rs` kills the node that they are on.
//!
//! `cluster_clients <number> <first node> <second node>` connects all to the first node, in its room, and prints `connected`. At a
//! line on its input, it prints `switched`: new connections are made to the second node. It prints how long the clients were away,
//! and at last `heard` once each has heard an event.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what fails here is a test, which reads the output"
)]

mod balancer;

use std::{
    env,
    io::{self, BufRead},
    net::SocketAddr,
    time::Instant,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    sync::mpsc,
    task::{JoinSet, spawn_blocking},
};
use zocket::{Outgoing, client::Client};

use crate::balancer::Balancer;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Said(u32);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// Clients that connect at the same time before the failure.
const AT_ONCE: usize = 50;

/// Connects a client that joins the room on each connection, and reports the time at which it has done so.
async fn connect(addr: SocketAddr, joined: mpsc::Sender<Instant>) -> Client {
    let join = move |client: Client, _| {
        let joined = joined.clone();
        async move {
            // If the connection has broken again, the next one joins.
            if client.call_route::<()>("join", &json!(null)).await.is_ok() {
                joined.send(Instant::now()).await.unwrap();
            }
        }
    };
    // The times between attempts are the client's defaults.
    let builder = Client::builder(format!("ws://{addr}/")).on_open(join);
    builder.connect().await.unwrap()
}

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [number, first, second] = &*arguments else {
        panic!("expected a number and two addresses")
    };
    let number: usize = number.parse().unwrap();
    let (first, second) = (first.parse().unwrap(), second.parse().unwrap());
    let balancer = Balancer::start().await;
    balancer.add(first);
    let (joined, mut joins) = mpsc::channel(number);
    let (mut connecting, mut clients) = (JoinSet::new(), Vec::new());
    for begun in 0..number {
        connecting.spawn(connect(balancer.addr, joined.clone()));
        if begun >= AT_ONCE {
            clients.push(connecting.join_next().await.unwrap().unwrap());
        }
    }
    clients.extend(connecting.join_all().await);
    for _ in 0..number {
        joins.recv().await.unwrap();
    }
    println!("connected");
    spawn_blocking(|| io::stdin().lock().read_line(&mut String::new()).unwrap())
        .await
        .unwrap();
    balancer.add(second);
    balancer.remove(first);
    let killed = Instant::now();
    println!("switched");
    let mut away = Vec::new();
    for _ in 0..number {
        away.push(joins.recv().await.unwrap() - killed);
    }
    away.sort();
    let percentile = |percent: usize| away[(number - 1) * percent / 100].as_millis();
    println!(
        "recovery: node with {number} clients killed: p50 {} ms, p99 {} ms, last {} ms",
        percentile(50),
        percentile(99),
        percentile(100)
    );
    let mut heard = JoinSet::new();
    for client in &clients {
        let mut events = client.on::<Said>();
        heard.spawn(async move { events.next().await.unwrap().unwrap().0 });
    }
    println!("listening");
    let heard = heard.join_all().await;
    assert!(heard.iter().all(|said| *said == 7), "{heard:?}");
    println!("heard");
    drop(clients);
}
