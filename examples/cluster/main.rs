//! A chat on two nodes that share a room over NATS, behind a balancer. `cargo run --features nats --example cluster`, then
//! open the printed address in two tabs. `kill A` on the terminal kills a node, `start A` starts it again, and Ctrl+C ends all.
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

use std::{env, error::Error, io, pin::pin};

use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use zocket::server;

use self::{balancer::Balancer, processes::Processes, stop::asked_to_stop};

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
        "open http://{addr}/?name=Ann and http://{addr}/?name=Bob; here: kill A, start A, kill B, start B"
    );

    let mut lines = BufReader::new(stdin()).lines();
    let mut stop = pin!(asked_to_stop());
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line?,
            stopped = &mut stop => return Ok(stopped?),
        };
        // Without further input the program ends, and its processes with it.
        let Some(line) = line else { return Ok(()) };
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["kill", name @ ("A" | "B")] => {
                balancer.remove(name);
                processes.kill(name).await?;
                tracing::info!("node {name} is dead");
            }
            ["start", name @ ("A" | "B")] => {
                balancer.add(name, processes.start_node(name).await?);
                tracing::info!("node {name} is back");
            }
            [] => {}
            _ => tracing::warn!(
                "expected `kill` or `start`, and `A` or `B`, got `{}`",
                line.escape_debug()
            ),
        }
    }
}
