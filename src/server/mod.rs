//! A small HTTP/1.1 server with the limits that a server on the open internet needs, for an
//! [`UpgradeService`](crate::UpgradeService), an `axum::Router`, or a stack of tower-http layers.
//!
//! | limit | value | reason |
//! |---|---|---|
//! | head of a request | [`MAX_HEAD`], 16 KiB; beyond it 431 | hyper's default is 400 KB for each connection, before anyone is authenticated |
//! | time for a head | [`HEAD_TIMEOUT`], 10 s | a client that never completes its request holds a descriptor |
//! | connections without a request yet | [`MAX_SILENT_PER_ADDRESS`], 512, and [`MAX_SILENT`], 4,096; beyond either, the oldest of them is closed | a peer that sends nothing would hold a descriptor, and no limit of requests counts it |
//! | backlog | [`BACKLOG`], 1,024 | clients that reconnect all at once are queued, and not refused |
//! | errors of `accept` | retried after 10 ms, and then up to 1 s | without descriptors, an immediate retry would keep a processor busy |
//!
//! Some of the oldest connections without a request are closed, too, if no descriptor is left. A head that has not ended
//! is no request. A connection counts only if its request did not arrive together with it, so that a proxy's burst of
//! requests is no flood. Behind a load balancer that forwards bytes, all clients have its address, and each of them is
//! silent for a round trip.
//!
//! `axum::serve` has the backlog and a pause of 1 s, and no limits for heads or silent connections.
//!
//! ```no_run
//! use zocket::{Zocket, server};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! let zo = Zocket::builder().build();
//! let app = axum::Router::new().route_service("/ws", zo.serve(zo.router()));
//! let listener = server::listen("127.0.0.1:3000").await?;
//! server::serve(listener, app).await;
//! # Ok(()) }
//! ```
//!
//! A server composed by hand takes its parts: [`listen`], [`accept`], and [`http1`] or the constants. `examples/hyper.rs`
//! and `examples/tls.rs` show both. It bounds silent connections itself.

mod listener;
mod serving;
mod silent;

use std::{net::SocketAddr, time::Duration};

use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioTimer;

pub use self::{
    listener::{accept, listen},
    serving::{serve, serve_until},
};

/// Largest head of a request, in bytes: the request line and all header fields. hyper answers 431 to a larger one.
pub const MAX_HEAD: usize = 16 << 10;

/// Time in which a client has to send the head of a request.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections of a server that may be open without having sent a request. Beyond it, the oldest of them is closed.
pub const MAX_SILENT: usize = 4_096;

/// Connections of one address that may be open without having sent a request. An IPv6 address counts as its /64. Beyond
/// it, the oldest of them is closed.
pub const MAX_SILENT_PER_ADDRESS: usize = 512;

/// Number of connections that may wait to be accepted. The operating system may lower it (Linux:
/// `net.core.somaxconn`).
pub const BACKLOG: u32 = 1024;

/// Address of the peer of a connection, in the extensions of each request that [`serve`] passes on. Behind a proxy this
/// is the proxy's address: see [`address`](crate::address). Messages find it as
/// [`Connection::peer_addr`](crate::Connection::peer_addr).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Returns hyper's HTTP/1.1 server with [`MAX_HEAD`] and [`HEAD_TIMEOUT`].
#[must_use]
pub fn http1() -> Builder {
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(MAX_HEAD);
    builder
}
