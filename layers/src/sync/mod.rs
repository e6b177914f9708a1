//! Primitives of the wake-up protocol: sender, mailbox, room, flusher and driver share nothing else.
//!
//! A build with `--cfg zocket_loom` takes loom's in the crate's own tests, so that `interleavings`
//! runs the code of the protocol, not a copy. Every other build gets re-exports.

#[cfg(all(test, zocket_loom))]
mod modelled;

#[cfg(not(all(test, zocket_loom)))]
pub(crate) use {
    dashmap::{DashMap, Entry as MapEntry},
    futures_util::task::AtomicWaker,
    parking_lot::Mutex,
    std::sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64},
    },
    tokio::sync::Notify,
};

#[cfg(all(test, zocket_loom))]
pub(crate) use {
    self::modelled::{AtomicBool, AtomicWaker, DashMap, MapEntry, Mutex, Notify, OnceLock},
    loom::sync::atomic::AtomicU64,
};

/// True in the model tests. Constants are small there, as each step multiplies the interleavings.
pub(crate) const IS_MODELLED: bool = cfg!(all(test, zocket_loom));
