use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    net::IpAddr,
    sync::Arc,
};

use tower::Layer;

use super::{Quota, QuotaService, store::QuotaStore};
use crate::{client_id::ClientId, connection::Connection, message::Parts};

/// Refuses messages above a [`Quota`], counted by a key `K` of each message.
pub struct QuotaLayer<K: Eq + Hash> {
    key: Key<K>,
    store: Arc<QuotaStore<K>>,
}

pub(super) type Key<K> = Arc<dyn Fn(&Parts) -> K + Send + Sync>;

const MAX_KEYS: usize = 1 << 16;

impl QuotaLayer<ClientId> {
    /// Gives each connection a quota.
    #[must_use]
    pub fn per_client(quota: Quota) -> Self {
        Self::by(quota, |parts| parts.connection().client_id())
    }
}

impl QuotaLayer<u64> {
    /// Gives each route a quota, which all clients share.
    #[must_use]
    pub fn per_route(quota: Quota) -> Self {
        let hash = route_hash();
        Self::by(quota, move |parts| hash(parts))
    }
}

impl QuotaLayer<(ClientId, u64)> {
    /// Gives each connection a quota for each route.
    #[must_use]
    pub fn per_client_and_route(quota: Quota) -> Self {
        let hash = route_hash();
        Self::by(quota, move |parts| (parts.connection().client_id(), hash(parts)))
    }
}

impl QuotaLayer<Option<IpAddr>> {
    /// Gives each address a quota, which its connections share. `find` returns the address; connections without one
    /// share one quota. An IPv6 address counts as its /64, the smallest block that a network assigns.
    #[must_use]
    pub fn per_address(
        quota: Quota,
        find: impl Fn(&Connection) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        Self::by(quota, move |parts| find(parts.connection()).map(network))
    }
}

impl<K: Eq + Hash> QuotaLayer<K> {
    /// Gives each key a quota. `key` returns the key of a message. It should be small, since it is kept until its quota
    /// is restored.
    #[must_use]
    pub fn by(quota: Quota, key: impl Fn(&Parts) -> K + Send + Sync + 'static) -> Self {
        Self {
            key: Arc::new(key),
            store: Arc::new(QuotaStore::new(quota, MAX_KEYS)),
        }
    }

    /// Keeps at most `keys` keys, by default 65,536. While they are all in use, all new keys share one quota.
    #[must_use]
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.store = Arc::new(QuotaStore::new(self.store.quota, keys));
        self
    }
}

/// Returns a function that hashes a message's route, for a key. The hash is kept instead of the route, which is text
/// from the client and may be long. The seed is random, so that no client can choose two routes with the same hash.
fn route_hash() -> impl Fn(&Parts) -> u64 {
    let seed = RandomState::new();
    move |parts| seed.hash_one(&**parts.route())
}

/// Returns the part of an address that usually belongs to one peer: an IPv4 address, or the /64 of an IPv6 address.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
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
    fn an_address_is_reduced_to_the_network_of_one_peer() {
        for (address, key) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(network(address.parse().unwrap()), key.parse::<IpAddr>().unwrap());
        }
    }
}
