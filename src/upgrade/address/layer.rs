use std::{fmt, net::IpAddr, sync::Arc};

use http::Extensions;
use tower::Layer;
use zocket_layers::{Quota, internal::QuotaStore};

use super::{AddressLimitService, TrustedProxies, open::OpenConnections};
use crate::server::PeerAddr;

/// Limits the handshakes and the open connections of each address. Beyond either limit, a request is refused with 429
/// and TOO_MANY_REQUESTS, before `on_connect` runs, or with a close code for
/// [clients that offer to understand it](crate::guide::errors#at-the-handshake). The layer belongs around the service that
/// [`Zocket::serve`](crate::Zocket::serve) returns. Its clones, and the services that it makes, share their counts. See
/// the [module](super).
///
/// Clients without an address share one quota and one count.
#[derive(Clone)]
pub struct AddressLimitLayer(pub(super) Arc<Rules>);

type Peer = Arc<dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync>;

#[derive(Clone)]
pub(super) struct Rules {
    pub(super) peer: Peer,
    pub(super) proxies: Option<TrustedProxies>,
    pub(super) handshakes: Option<Arc<QuotaStore<Option<IpAddr>>>>,
    pub(super) connections: usize,
    pub(super) open: Arc<OpenConnections>,
}

/// Number of addresses whose quotas are kept. While all of them are in use, new addresses share one quota.
const MAX_ADDRESSES: usize = 1 << 16;

impl AddressLimitLayer {
    /// Creates a layer without limits.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Rules {
            peer: Arc::new(|extensions| Some(extensions.get::<PeerAddr>()?.0.ip())),
            proxies: None,
            handshakes: None,
            connections: usize::MAX,
            open: Arc::default(),
        }))
    }

    fn with(self, set: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = Arc::unwrap_or_clone(self.0);
        set(&mut rules);
        Self(Arc::new(rules))
    }

    /// Sets the quota of handshakes of each address. Refused handshakes count too. A refusal by this quota has
    /// `Retry-After`. Default: no quota.
    #[must_use]
    pub fn handshakes(self, quota: Quota) -> Self {
        self.with(|rules| rules.handshakes = Some(Arc::new(QuotaStore::new(quota, MAX_ADDRESSES))))
    }

    /// Sets the number of connections that each address may have open. A connection counts from its handshake until
    /// its `on_disconnect` has finished. Default: no limit.
    ///
    /// A household or a company often has one address. So this limit is for what no group of people needs.
    #[must_use]
    pub fn connections(self, connections: usize) -> Self {
        self.with(|rules| rules.connections = connections)
    }

    /// Reads clients' addresses from a header field, if the peer is one of these proxies. Default: from no field.
    #[must_use]
    pub fn trusting(self, proxies: TrustedProxies) -> Self {
        self.with(|rules| rules.proxies = Some(proxies))
    }

    /// Sets the function that returns the peer's address from a request's extensions. Default: the one in
    /// [`PeerAddr`]. With `axum::serve` and `into_make_service_with_connect_info`:
    ///
    /// ```
    /// # use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    ///
    /// # let layer = zocket::address::AddressLimitLayer::new();
    /// let layer = layer.peer(|extensions| Some(extensions.get::<ConnectInfo<SocketAddr>>()?.ip()));
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn peer(self, peer: impl Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        self.with(|rules| rules.peer = Arc::new(peer))
    }
}

impl Default for AddressLimitLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AddressLimitLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressLimitLayer")
            .field("connections", &self.0.connections)
            .field("proxies", &self.0.proxies)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for AddressLimitLayer {
    type Service = AddressLimitService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AddressLimitService::new(inner, self.clone())
    }
}
