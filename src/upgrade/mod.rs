//! Upgrade of an HTTP request to a WebSocket connection.

pub mod address;
mod answer;
mod handshake;
mod header_kinds;
mod headers;
mod inner_app;
#[cfg(feature = "testing")]
mod kit;
mod offers;
mod options;
pub mod origin;
mod refusable;
mod refusal;
mod resume;
mod service;

#[cfg(test)]
pub(crate) use self::answer::statuses;
#[cfg(feature = "testing")]
pub(crate) use self::kit::KitHandshake;
pub(crate) use self::{
    header_kinds::HeaderKinds,
    headers::HeaderRules,
    offers::{FEATURES, Offers, RESUMPTION},
    options::ServeOptions,
};
pub use self::{
    options::{ServeError, StackError},
    refusable::HandshakeFuture,
    service::{UpgradeFuture, UpgradeService},
};
