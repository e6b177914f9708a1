//! Primitives of [`IoWakeFlag`](super::io_wake_flag::IoWakeFlag). The model tests of `zocket-layers` compile its file with
//! loom's.

pub(super) use std::sync::atomic::AtomicBool;

pub(super) use futures_util::task::AtomicWaker;
