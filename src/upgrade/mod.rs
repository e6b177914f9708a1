//! Upgrade of an HTTP request to a WebSocket connection.

mod answer;
mod handshake;
mod headers;
mod options;
mod service;

#[cfg(test)]
pub(crate) use self::answer::statuses;
pub(crate) use self::{headers::HeaderRules, options::ServeOptions};
pub use self::{
    options::{ServeError, StackError},
    service::{UpgradeFuture, UpgradeService},
};
