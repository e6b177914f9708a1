//! Fuzz targets. The body of each is a function of bytes, which compares the server with a model of PROTOCOL.md, and
//! panics where they differ. `cargo fuzz` calls it with bytes that reach new code, and the test `replay` with those that
//! it has found: the files in `corpus`.

#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a target reports what it finds by a panic"
)]

pub mod envelope;
pub mod handshake;
pub mod hub;
pub mod session;

mod program;
mod socket;

/// Body of a target.
pub type Target = fn(&[u8]);

/// Every target, with its name, which is that of its folder in `corpus` too.
pub const TARGETS: [(&str, Target); 4] = [
    ("envelope", envelope::run),
    ("handshake", handshake::run),
    ("hub", hub::run),
    ("session", session::run),
];

#[doc(hidden)]
pub use program::replay;
