//! Quotas: whoever sends more than they may is refused, and told when to come back.
//!
//! [`QuotaLayer`] refuses with [`TOO_MANY_REQUESTS`](crate::Code::TOO_MANY_REQUESTS) and `retryAfterMs`, while tower's
//! `RateLimit` makes everyone wait. It stands wherever messages pass: around the app, a route, or a procedure. Its
//! clones, and the services that it makes, share what has been used: all routes and connections that one layer
//! stands around draw on the same quotas.
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
//! What the HTTP server knows of the peer comes through the upgrade request's extensions, which a message finds at its
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
//! Behind a proxy every peer is the proxy: let a layer around the upgrade put the address that the proxy tells into the
//! request's extensions, and look for that.
//!
//! # What it keeps
//!
//! A point in time for each key that has used some of its quota and not got it back: see
//! [`max_keys`](QuotaLayer::max_keys). Time is tokio's, and stands still where a test pauses it.

mod layer;
mod service;
mod store;

use std::time::Duration;

pub use self::{layer::QuotaLayer, service::QuotaService};

/// How many messages in what time: at first so many at once, then one whenever its share of the time has passed, up to
/// so many again. (The generic cell rate algorithm, GCRA, which is a leaky bucket that need not be emptied.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// What one message takes.
    interval: Duration,
    burst: u32,
}

const LONGEST: u64 = 1 << 31;

impl Quota {
    /// So many messages in each `per`, and so many at once.
    ///
    /// # Panics
    /// If either is zero.
    #[must_use]
    #[track_caller]
    pub const fn new(messages: u32, per: Duration) -> Self {
        assert!(
            messages > 0 && !per.is_zero(),
            "a quota of nothing lets no message through"
        );
        // Neither faster than a clock can tell nor, as 68 years for each message are, beyond what can be added up.
        let interval = match per.checked_div(messages) {
            Some(Duration::ZERO) | None => Duration::from_nanos(1),
            Some(long) if long.as_secs() > LONGEST => Duration::from_secs(LONGEST),
            Some(interval) => interval,
        };
        Self {
            interval,
            burst: messages,
        }
    }

    /// So many at once, instead.
    ///
    /// # Panics
    /// If that is zero.
    #[must_use]
    #[track_caller]
    pub const fn burst(mut self, messages: u32) -> Self {
        assert!(messages > 0, "a burst of nothing lets no message through");
        self.burst = messages;
        self
    }

    /// The time in which all of it comes back.
    const fn window(self) -> Duration {
        self.interval.saturating_mul(self.burst)
    }

    /// Takes one message's share, now, from what is paid back at `paid`; or says how long it takes until one can be
    /// taken.
    fn take(self, paid: &mut Duration, now: Duration) -> Result<(), Duration> {
        let after = (*paid).max(now).saturating_add(self.interval);
        match after.saturating_sub(now.saturating_add(self.window())) {
            Duration::ZERO => {
                *paid = after;
                Ok(())
            }
            wait => Err(wait),
        }
    }
}
