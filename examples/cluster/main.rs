//! A chat on two nodes that share a room over NATS, behind a balancer. `cargo run --features nats --example cluster`, then
//! open the printed addresses in two tabs. On the terminal, `kill A` kills a node as a crash would, `stop A` ends it as a deploy
//! does, and `start A` starts it again. Ctrl+C ends all.
//!
//! The program starts NATS (`nats-server` from the `PATH`), and itself as each node.

mod around_nats;
mod balancer;
#[path = "../nats_server/mod.rs"]
mod nats_server;
mod node;
mod processes;
#[path = "../stop/mod.rs"]
mod stop;

use std::{
    env,
    error::Error,
    io::{self, stdin},
    pin::pin,
    thread,
};

use tokio::sync::mpsc;
use zocket::server;

use self::{balancer::Balancer, processes::Processes, stop::asked_to_stop};

/// Returns the lines of the input. A thread reads them, since tokio's `stdin` would keep the program from ending until the next
/// line.
fn input() -> mpsc::Receiver<io::Result<String>> {
    let (lines, input) = mpsc::channel(1);
    thread::spawn(move || stdin().lines().try_for_each(|line| lines.blocking_send(line)));
    input
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [name, nats] = &*arguments {
        // Its standard output has its address.
        tracing_subscriber::fmt().with_writer(io::stderr).init();
        return node::run(name, nats).await;
    }
    tracing_subscriber::fmt().init();
    let addr = env::var("ADDR").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = server::listen(addr).await?;
    let addr = listener.local_addr()?;
    let balancer = Balancer::default();
    let mut processes = Processes::start_nats().await?;
    for name in ["A", "B"] {
        balancer.add(name, processes.start_node(name).await?);
    }
    tokio::spawn(balancer.clone().serve(listener));
    tracing::info!("listening on {addr}");
    tracing::info!(
        "open http://{addr}/?name=Ann and http://{addr}/?name=Bob; here: kill A, stop A, start A, and the same with B"
    );

    let mut input = input();
    let mut stop = pin!(asked_to_stop());
    loop {
        let line = tokio::select! {
            line = input.recv() => line.transpose()?,
            stopped = &mut stop => return Ok(stopped?),
        };
        // Without further input the program ends, and its processes with it.
        let Some(line) = line else { return Ok(()) };
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["start", name @ ("A" | "B")] if processes.has(name) => {
                tracing::warn!("node {name} runs already");
            }
            ["kill" | "stop", name @ ("A" | "B")] if !processes.has(name) => {
                tracing::warn!("node {name} does not run");
            }
            ["kill", name @ ("A" | "B")] => {
                balancer.remove(name);
                processes.kill(name).await?;
                tracing::info!("node {name} is dead; the other node counts its people for 5 s more");
            }
            ["stop", name @ ("A" | "B")] => {
                balancer.remove(name);
                processes.stop(name).await?;
                tracing::info!("node {name} has ended");
            }
            ["start", name @ ("A" | "B")] => {
                balancer.add(name, processes.start_node(name).await?);
                tracing::info!("node {name} is back");
            }
            [] => {}
            _ => tracing::warn!(
                "expected `kill`, `stop` or `start`, and `A` or `B`, got `{}`",
                line.escape_debug()
            ),
        }
    }
}
