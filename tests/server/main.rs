//! The server from outside, as it is without features.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/refusals.rs"]
mod refusals_with_data;

mod app_type;
mod background;
mod closing_by_peer;
mod custom_hub;
mod driver;
mod extended;
mod fairness;
mod flow;
mod full_queue;
mod handshake;
mod hostile;
mod lifecycle;
mod middleware;
mod refusals;
mod resume;
mod rooms;
mod router;
mod server;
mod serving;
mod slow_readers;
mod stopped;
