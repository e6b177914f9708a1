//! Limits for each address: handshakes in a time, and open connections.
//!
//! ```
//! use std::time::Duration;
//! use tower::Layer;
//! use zocket::{Zocket, address::{AddressLimitLayer, TrustedProxies}, layers::Quota};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let zo = Zocket::builder().build();
//! let limits = AddressLimitLayer::new()
//!     .handshakes(Quota::new(30, Duration::from_secs(60)))
//!     .connections(50)
//!     .trusting(TrustedProxies::x_forwarded_for(["127.0.0.1", "10.0.0.0/8"])?);
//! let service = limits.layer(zo.serve(zo.router()));
//! # drop(service); Ok(()) }
//! ```
//!
//! # Address of a client
//!
//! The peer's address is the one in [`PeerAddr`](crate::server::PeerAddr), which [`server::serve`](crate::server::serve)
//! sets, or the one that [`AddressLimitLayer::peer`] reads. Only if the peer is a trusted proxy is the header field of
//! [`TrustedProxies`] read: from its end, as long as the proxy that added an entry is trusted. So a client can't choose
//! its address by sending the field. An IPv6 address counts as its /64, the smallest block that a network assigns.
//!
//! The layer adds the result to the request's extensions as [`ClientAddr`]. `on_connect` reads it there, and
//! [`Connection::extensions`](crate::Connection::extensions) has it for
//! [`QuotaLayer::per_address`](crate::layers::QuotaLayer::per_address).

mod entries;
mod layer;
mod open;
mod proxies;
mod service;

use std::net::IpAddr;

pub(crate) use self::open::OpenSlot;
pub use self::{
    layer::AddressLimitLayer,
    proxies::{NetworkError, TrustedProxies},
    service::AddressLimitService,
};

/// Address of the client, in the extensions of each request that passes an [`AddressLimitLayer`]: of the peer, or of
/// the client that trusted proxies report. `None` if the peer is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddr(pub Option<IpAddr>);
