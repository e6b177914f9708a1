//! Reserved message types. All begin with [`PREFIX`]. Names of routes and events can't begin with it.

/// Prefix of every reserved type.
pub const PREFIX: &str = "__";

/// Defines the constants and the list of them all, so that neither has a type that the other lacks.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $word;)*

        /// Every reserved type.
        pub const ALL: [&str; [$($word),*].len()] = [$($word),*];
    };
}

words! {
    /// Answer to a message with an `rpcId`.
    ANSWER = "__rpc_res";
    /// Refusal of a message with an `rpcId`.
    REFUSAL = "__rpc_err";
    /// Failure of a message without an `rpcId`. Extended protocol.
    ERROR = "__error";
    /// First frame of the server. Extended protocol.
    WELCOME = "__welcome";
    /// Request for a [`PONG`]. Extended protocol.
    PING = "__ping";
    /// Answer to a [`PING`]. Extended protocol.
    PONG = "__pong";
    /// Acknowledgement of frames. Extended protocol, for clients that offer to resume.
    ACK = "__ack";
    /// Message that does nothing, in place of one that is not resent. Extended protocol, for clients that offer to resume.
    VOID = "__void";
}
