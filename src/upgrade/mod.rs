//! From an HTTP request to a connection.

mod answer;
mod handshake;
mod headers;
mod service;

pub(crate) use self::headers::HeaderRules;
pub use self::service::{Body, UpgradeFuture, UpgradeService};
