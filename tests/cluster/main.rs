//! Nodes that share a real NATS server.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

#[path = "../common/nats.rs"]
mod nats;

mod apps;
mod engines;
mod member;
mod nodes;
mod rooms;
mod sizes;
