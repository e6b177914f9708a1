use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    sync::Arc,
};

use tower::Layer;

use super::{Quota, QuotaService, store::Store};
use crate::{client_id::ClientId, connection::Connection, message::Parts};

/// Refuses whoever sends more than they may, by a key `K` that it makes of each message.
pub struct QuotaLayer<K: Eq + Hash> {
    key: Key<K>,
    store: Arc<Store<K>>,
}

pub(super) type Key<K> = Arc<dyn Fn(&Parts) -> K + Send + Sync>;

const MAX_KEYS: usize = 1 << 16;

impl QuotaLayer<ClientId> {
    /// To each connection a quota.
    #[must_use]
    pub fn per_client(quota: Quota) -> Self {
        Self::by(quota, |parts| parts.connection().client_id())
    }
}

impl QuotaLayer<u64> {
    /// To each route a quota, that all clients share.
    #[must_use]
    pub fn per_route(quota: Quota) -> Self {
        let name = short();
        Self::by(quota, move |parts| name(parts))
    }
}

impl QuotaLayer<(ClientId, u64)> {
    /// To each connection a quota for each route.
    #[must_use]
    pub fn per_client_and_route(quota: Quota) -> Self {
        let name = short();
        Self::by(quota, move |parts| (parts.connection().client_id(), name(parts)))
    }
}

impl QuotaLayer<Option<IpAddr>> {
    /// To each address a quota, that its connections share; `find` tells the address. Those of whom it tells none
    /// share one quota. An IPv6 address stands for its /64, the least that a network hands out.
    #[must_use]
    pub fn per_address(
        quota: Quota,
        find: impl Fn(&Connection) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        Self::by(quota, move |parts| find(parts.connection()).map(network))
    }
}

impl<K: Eq + Hash> QuotaLayer<K> {
    /// To each key a quota; `key` tells a message's. A key should be small: it is kept until its quota has come back.
    #[must_use]
    pub fn by(quota: Quota, key: impl Fn(&Parts) -> K + Send + Sync + 'static) -> Self {
        Self {
            key: Arc::new(key),
            store: Arc::new(Store::new(quota, MAX_KEYS)),
        }
    }

    /// Keeps so many keys at most, by default 65,536. While it is full, whoever comes new shares one quota with all the
    /// others who do.
    #[must_use]
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.store = Arc::new(Store::new(self.store.quota, keys));
        self
    }
}

/// A route's name for a key: its words are the client's, and may be long, or a part of something long. Nobody can
/// choose two of one hash, as its seed is random.
fn short() -> impl Fn(&Parts) -> u64 {
    let seed = RandomState::new();
    move |parts| seed.hash_one(&**parts.route())
}

/// What one peer can be expected to have to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}

impl<K: Eq + Hash, S> Layer<S> for QuotaLayer<K> {
    type Service = QuotaService<S, K>;

    fn layer(&self, inner: S) -> Self::Service {
        QuotaService::new(inner, self.key.clone(), self.store.clone())
    }
}

impl<K: Eq + Hash> Clone for QuotaLayer<K> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            store: self.store.clone(),
        }
    }
}

impl<K: Eq + Hash> fmt::Debug for QuotaLayer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuotaLayer")
            .field("quota", &self.store.quota)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_for_what_one_peer_has() {
        for (address, key) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(network(address.parse().unwrap()), key.parse::<IpAddr>().unwrap());
        }
    }
}
