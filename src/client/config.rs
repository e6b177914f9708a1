//! The settings of a client.

use std::{ops::RangeInclusive, time::Duration};

use url::Url;

use super::{backoff::Backoff, headers::Source};

/// The settings of a client, made by its builder.
pub(super) struct Config {
    pub(super) url: Url,
    pub(super) headers: Source,
    pub(super) connect_timeout: Duration,
    pub(super) backoff: Backoff,
    pub(super) proven_after: Duration,
    /// `None` for the time that the server's welcome names.
    pub(super) ping_after: Option<Duration>,
    pub(super) pong_within: Duration,
    /// True if the client offers to resume its session.
    pub(super) resume: bool,
    /// Size limit of a received message, in bytes.
    pub(super) max_message: usize,
    pub(super) reconnect_on: Vec<RangeInclusive<u16>>,
    /// Used for `wss://` only.
    #[cfg(feature = "client-rustls")]
    pub(super) tls: Option<std::sync::Arc<rustls::ClientConfig>>,
}

/// Upper limit of the connection's timers (connect time-out, backoff, pings), so that adding one to an `Instant` can't
/// overflow.
pub(super) const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Time limit of a close: writing buffered data, sending the Close frame and receiving the server's answer to it.
pub(super) const CLOSE_WITHIN: Duration = Duration::from_secs(5);
