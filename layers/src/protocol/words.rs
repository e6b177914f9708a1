//! Reserved message types. All begin with [`PREFIX`]. Names of routes and events can't begin with it.

/// Prefix of every reserved type.
pub const PREFIX: &str = "__";
/// Answer to a message with an `rpcId`.
pub const ANSWER: &str = "__rpc_res";
/// Refusal of a message with an `rpcId`.
pub const REFUSAL: &str = "__rpc_err";
/// Failure of a message without an `rpcId`. Extended protocol.
pub const ERROR: &str = "__error";
/// First frame of the server. Extended protocol.
pub const WELCOME: &str = "__welcome";
/// Request for a [`PONG`]. Extended protocol.
pub const PING: &str = "__ping";
/// Answer to a [`PING`]. Extended protocol.
pub const PONG: &str = "__pong";
