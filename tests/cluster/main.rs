//! Nodes that share a real NATS server.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "these are tests, their helpers, and figures for a document"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/nats.rs"]
mod nats;
#[path = "../common/proxy.rs"]
mod proxy;

mod answers;
mod apps;
mod balancer;
mod crowd;
mod engines;
mod full;
mod joins;
mod layers;
mod leave;
mod member;
mod members;
mod nodes;
mod partition;
mod restart;
mod resume;
mod rooms;
mod servers;
mod sizes;
mod slow;
mod station;
mod strangers;
