//! The layers and the hub, from outside. Tests that read the log are programs of their own: tracing caches per
//! callsite, for all threads, if a subscriber is interested. A test without a subscriber may reach a callsite first and
//! disable it for the others.

mod support;

mod audit;
mod authorize;
mod blocked_threads;
mod fanout;
mod frames;
mod http;
mod hub;
mod hub_background;
mod hub_races;
mod hub_slow_readers;
mod hub_stress;
mod hub_stuck;
mod hub_targets;
mod idempotency;
mod metrics;
mod permits;
mod readiness;
mod refusal;
