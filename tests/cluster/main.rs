//! Nodes that share a real NATS server.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

#[path = "../common/nats.rs"]
mod nats;
#[path = "../common/proxy.rs"]
mod proxy;

mod apps;
mod balancer;
mod crowd;
mod engines;
mod full;
mod joins;
mod layers;
mod member;
mod nodes;
mod partition;
mod restart;
mod rooms;
mod servers;
mod sizes;
mod slow;
mod station;
