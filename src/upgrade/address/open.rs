//! Number of open connections for each address.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::Arc,
};

use parking_lot::Mutex;

/// Open connections by network. `None` is the key of clients without an address.
#[derive(Debug, Default)]
pub(super) struct OpenConnections(Mutex<HashMap<Option<IpAddr>, usize>>);

impl OpenConnections {
    /// Counts a connection until the last clone of its slot is dropped. Returns `None` if the address has `max`
    /// connections. `outer` is the slot of a layer around this one.
    pub(super) fn open(
        self: &Arc<Self>,
        network: Option<IpAddr>,
        max: usize,
        outer: Option<OpenSlot>,
    ) -> Option<OpenSlot> {
        {
            let mut open = self.0.lock();
            let count = open.get(&network).copied().unwrap_or_default();
            if count >= max {
                return None;
            }
            open.insert(network, count + 1);
        }
        Some(OpenSlot(Arc::new(Slot {
            open: self.clone(),
            network,
            _outer: outer,
        })))
    }

    fn close(&self, network: Option<IpAddr>) {
        let mut open = self.0.lock();
        if let Entry::Occupied(mut count) = open.entry(network) {
            match count.get() {
                0 | 1 => drop(count.remove()),
                _ => *count.get_mut() -= 1,
            }
        }
        // A burst of addresses does not keep its table.
        if open.len() < open.capacity() / 4 {
            open.shrink_to_fit();
        }
    }
}

/// A connection that is counted. It is in the request's extensions until the upgrade gives it to the connection's task.
#[derive(Debug, Clone)]
pub(crate) struct OpenSlot(#[expect(dead_code, reason = "counts until it is dropped")] Arc<Slot>);

#[derive(Debug)]
struct Slot {
    open: Arc<OpenConnections>,
    network: Option<IpAddr>,
    _outer: Option<OpenSlot>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.open.close(self.network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_counts_until_its_last_clone_is_dropped() {
        let open = Arc::new(OpenConnections::default());
        let outer = Arc::new(OpenConnections::default());
        let ann = Some("192.0.2.1".parse().unwrap());
        let outer_slot = outer.open(None, 1, None);
        let first = open.open(ann, 2, outer_slot).unwrap();
        let second = open.open(ann, 2, None).unwrap();
        assert!(open.open(ann, 2, None).is_none());
        assert!(open.open(None, 2, None).is_some());
        assert!(outer.open(None, 1, None).is_none());
        let clone = first.clone();
        drop(first);
        assert!(open.open(ann, 2, None).is_none());
        drop(clone);
        assert!(open.open(ann, 2, None).is_some());
        assert!(outer.open(None, 1, None).is_some());
        drop(second);
        assert!(open.0.lock().is_empty());
    }

    #[test]
    fn addresses_that_have_gone_leave_nothing() {
        let open = Arc::new(OpenConnections::default());
        let address = |n: u32| Some(IpAddr::V4(n.into()));
        let slots: Vec<_> = (0..100_000).map(|n| open.open(address(n), 1, None)).collect();
        assert!(slots.iter().all(Option::is_some));
        drop(slots);
        let open = open.0.lock();
        assert!(open.is_empty() && open.capacity() < 100, "{}", open.capacity());
    }
}
