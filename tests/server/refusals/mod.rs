//! Refusals with data, from outside: when the data is sent, and values of the app that misbehave.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

mod app_layers;
mod handshakes;
mod hostile;
mod wire;

use crate::{
    common::{Client, Server},
    extended::offer,
};

/// Connects by the extended protocol.
async fn extended(server: &Server) -> Client {
    let (mut client, _) = offer(server, "zocket.v1.json").await;
    client.event("__welcome").await;
    client
}
