//! The layers and the hub, from outside. What they log is tested in files of their own: tracing keeps for all threads
//! whether anyone listens at a place in the code, and a test that does not listen may be the first to pass it.

mod support;

mod audit;
mod authorize;
mod fanout;
mod frames;
mod http;
mod hub;
mod hub_stress;
mod hub_targets;
mod idempotency;
mod metrics;
mod permits;
mod readiness;
