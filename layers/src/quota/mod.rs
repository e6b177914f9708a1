//! Quotas: refuse messages above a rate, and report when to retry.
//!
//! [`QuotaLayer`] refuses with [`TOO_MANY_REQUESTS`](crate::Code::TOO_MANY_REQUESTS) and `retryAfterMs`, while tower's
//! `RateLimit` makes all callers wait. It works around the app, a route, or a procedure. Its clones and the services
//! that it makes share their state, so all routes and connections behind one layer share its quotas.
//!
//! ```
//! use std::time::Duration;
//! use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};
//! use zocket_layers::{Connection, Message, Quota, QuotaLayer, RawPayload, Reply};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), BoxError> {
//! // Two at once, and then one every half a second, to each client.
//! let mut service = ServiceBuilder::new()
//!     .layer(QuotaLayer::per_client(Quota::new(2, Duration::from_secs(1))))
//!     .service(service_fn(async |_: Message| Ok::<_, BoxError>(Reply::empty())));
//!
//! let ann = Connection::detached(());
//! let message = || Message::new(ann.clone(), "chat.post", RawPayload::absent());
//! assert!(service.ready().await?.call(message()).await.is_ok());
//! assert!(service.ready().await?.call(message()).await.is_ok());
//! let refusal = service.ready().await?.call(message()).await.unwrap_err();
//! let refusal = refusal.downcast::<zocket_layers::Error>()?;
//! assert_eq!(refusal.retry_after(), Some(Duration::from_millis(500)));
//!
//! tokio::time::sleep(Duration::from_millis(500)).await;
//! assert!(service.ready().await?.call(message()).await.is_ok());
//! # Ok(()) }
//! ```
//!
//! # By address
//!
//! [`Connection::peer_addr`](crate::Connection::peer_addr) is the peer's address, if `zocket::server` accepts the
//! connections:
//!
//! ```
//! # use std::time::Duration;
//! # use zocket_layers::{Quota, QuotaLayer};
//! let quota = Quota::new(100, Duration::from_secs(1));
//! let layer = QuotaLayer::per_address(quota, |connection| Some(connection.peer_addr()?.ip()));
//! # drop(layer);
//! ```
//!
//! Another HTTP server puts the address into the upgrade request's extensions, which a message reaches through its
//! [`Connection`](crate::Connection::extensions). With axum's `into_make_service_with_connect_info::<SocketAddr>()`:
//!
//! ```
//! # use std::{net::{IpAddr, SocketAddr}, time::Duration};
//! # use zocket_layers::{Connection, Quota, QuotaLayer};
//! # #[derive(Clone)] struct ConnectInfo<T>(T);
//! fn address(connection: &Connection) -> Option<IpAddr> {
//!     let ConnectInfo(address) = connection.extensions().get::<ConnectInfo<SocketAddr>>()?;
//!     Some(address.ip())
//! }
//! let layer = QuotaLayer::per_address(Quota::new(100, Duration::from_secs(1)), address);
//! # drop(layer);
//! ```
//!
//! Behind a proxy every peer is the proxy. Let a layer around the upgrade put the address that the proxy reports into
//! the request's extensions, and read that address instead.
//!
//! # Memory
//!
//! The layer keeps a point in time for each key whose quota is not fully restored: see
//! [`max_keys`](QuotaLayer::max_keys). Time is tokio's clock, which a test can pause.

pub(crate) mod layer;
mod service;
pub(crate) mod store;

use std::time::Duration;

pub use self::{layer::QuotaLayer, service::QuotaService};

/// Rate limit by GCRA (generic cell rate algorithm, a leaky bucket without a timer): `burst` messages at once, then
/// `messages` per `per` of [`new`](Self::new), evenly spaced. Unused quota is restored up to `burst`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Time that restores the quota of one message.
    interval: Duration,
    burst: u32,
}

const MAX_WINDOW: u64 = 1 << 31;

impl Quota {
    /// Creates a quota of `messages` in each `per`, with a burst of the same number.
    ///
    /// # Panics
    /// If either is zero.
    #[must_use]
    #[track_caller]
    pub const fn new(messages: u32, per: Duration) -> Self {
        assert!(
            messages > 0 && !per.is_zero(),
            "expected a quota of at least one message"
        );
        // At least 1 ns, the resolution of the clock, and at most 68 years for each message, so that sums do not
        // overflow.
        let interval = match per.checked_div(messages) {
            Some(Duration::ZERO) | None => Duration::from_nanos(1),
            Some(long) if long.as_secs() > MAX_WINDOW => Duration::from_secs(MAX_WINDOW),
            Some(interval) => interval,
        };
        Self {
            interval,
            burst: messages,
        }
    }

    /// Sets the number of messages that are allowed at once.
    ///
    /// # Panics
    /// If `messages` is zero.
    #[must_use]
    #[track_caller]
    pub const fn burst(mut self, messages: u32) -> Self {
        assert!(messages > 0, "expected a burst of at least one message");
        self.burst = messages;
        self
    }

    /// Returns the time in which the whole burst is restored.
    const fn window(self) -> Duration {
        self.interval.saturating_mul(self.burst)
    }

    /// Charges one message at `now`. `restored_at` is the time at which the quota is fully restored. If the quota is used up,
    /// returns the time until the next message is allowed.
    fn charge(self, restored_at: &mut Duration, now: Duration) -> Result<(), Duration> {
        let after = (*restored_at).max(now).saturating_add(self.interval);
        match after.saturating_sub(now.saturating_add(self.window())) {
            Duration::ZERO => {
                *restored_at = after;
                Ok(())
            }
            wait => Err(wait),
        }
    }
}
