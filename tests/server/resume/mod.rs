//! Sessions of clients that come back after their connection broke.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

mod app;
mod bounds;
mod break_or_end;
mod decision;
#[cfg(feature = "http2")]
mod http2;
mod in_progress;
mod peer;
mod record;
mod refusals;
mod simple;
mod takeover;
mod wire;
