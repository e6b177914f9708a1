//! What a client was built with.

use std::{ops::RangeInclusive, time::Duration};

use url::Url;

use super::{backoff::Backoff, headers::Source};

/// What a client was built with.
pub(super) struct Config {
    pub(super) url: Url,
    pub(super) headers: Source,
    pub(super) connect_timeout: Duration,
    pub(super) backoff: Backoff,
    pub(super) proven_after: Duration,
    pub(super) ping_after: Duration,
    pub(super) pong_within: Duration,
    /// Bytes of a message that comes in.
    pub(super) max_message: usize,
    pub(super) come_back: Vec<RangeInclusive<u16>>,
    /// Of `wss://` alone.
    #[cfg(feature = "client-rustls")]
    pub(super) tls: Option<std::sync::Arc<rustls::ClientConfig>>,
}

/// How long a close may take: what waits to be written, the Close frame and the server's answer to it.
pub(super) const CLOSE_WITHIN: Duration = Duration::from_secs(5);
