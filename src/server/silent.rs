//! Bound on the connections that have not sent a request yet.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::AbortHandle;
use parking_lot::Mutex;
use zocket_layers::internal::network;

use super::{MAX_SILENT, MAX_SILENT_PER_ADDRESS};

/// Connections that are closed when the process has no descriptor left.
const MADE_ROOM: usize = 32;

/// The connections of a server that have not sent a request yet. Beyond a bound, the one that has been silent for the
/// longest time is closed. It is hardly ever that of an honest peer, which sends its request within a round trip.
pub(super) struct SilentConnections {
    total: usize,
    per_address: usize,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    /// The number of the next connection.
    next: u64,
    /// By number, so that the oldest is the first.
    connections: BTreeMap<u64, Entry>,
    addresses: HashMap<IpAddr, BTreeSet<u64>>,
    /// True from the first connection that a bound closes until no connection is silent. So the log has one line for a
    /// flood.
    is_flooded: bool,
}

struct Entry {
    address: IpAddr,
    task: AbortHandle,
}

impl Default for SilentConnections {
    fn default() -> Self {
        Self::new(MAX_SILENT, MAX_SILENT_PER_ADDRESS)
    }
}

impl SilentConnections {
    pub(super) fn new(total: usize, per_address: usize) -> Self {
        Self {
            total,
            per_address,
            entries: Mutex::default(),
        }
    }

    /// Returns the record of a connection that was accepted. An IPv6 address counts as its /64.
    pub(super) fn accepted(self: &Arc<Self>, peer: IpAddr) -> Peer {
        let mut entries = self.entries.lock();
        entries.next += 1;
        Peer {
            number: entries.next,
            address: network(peer),
            has_spoken: AtomicBool::new(false),
            connections: self.clone(),
        }
    }

    /// Closes some of the oldest connections, because the process has no descriptor left.
    pub(super) fn make_room(&self) {
        let mut entries = self.entries.lock();
        for _ in 0..MADE_ROOM {
            let Some(oldest) = entries.connections.keys().next().copied() else {
                break;
            };
            entries.close(oldest);
        }
    }

    fn insert(&self, number: u64, entry: Entry) {
        let mut entries = self.entries.lock();
        let of_address = entries.addresses.entry(entry.address).or_default();
        of_address.insert(number);
        let beyond = of_address.len() > self.per_address;
        let oldest_of_address = of_address.first().copied().filter(|_| beyond);
        entries.connections.insert(number, entry);
        let beyond = entries.connections.len() > self.total;
        let oldest = entries.connections.keys().next().copied().filter(|_| beyond);
        if let Some(oldest) = oldest_of_address.or(oldest) {
            entries.close(oldest);
            if !mem::replace(&mut entries.is_flooded, true) {
                tracing::warn!("connections that sent no request were closed: there were too many");
            }
        }
    }
}

impl Entries {
    fn close(&mut self, number: u64) {
        if let Some(entry) = self.remove(number) {
            entry.task.abort();
        }
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.connections.remove(&number)?;
        if let Some(of_address) = self.addresses.get_mut(&entry.address) {
            of_address.remove(&number);
            if of_address.is_empty() {
                self.addresses.remove(&entry.address);
            }
        }
        if self.connections.is_empty() {
            // Frees the memory of a flood.
            self.addresses.shrink_to_fit();
            self.is_flooded = false;
        }
        Some(entry)
    }
}

/// Record of one connection, until its last clone is dropped.
pub(super) struct Peer {
    number: u64,
    address: IpAddr,
    has_spoken: AtomicBool,
    connections: Arc<SilentConnections>,
}

impl Peer {
    /// Counts the connection as silent, unless it has sent a request. `task` ends it.
    pub(super) fn is_silent(&self, task: AbortHandle) {
        if !self.has_spoken.load(Ordering::Relaxed) {
            let address = self.address;
            self.connections.insert(self.number, Entry { address, task });
        }
    }

    /// Records that the peer has sent a request.
    pub(super) fn speaks(&self) {
        if !self.has_spoken.swap(true, Ordering::Relaxed) {
            self.leave();
        }
    }

    fn leave(&self) {
        self.connections.entries.lock().remove(self.number);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if !*self.has_spoken.get_mut() {
            self.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    /// Returns a silent connection, and the handle that shows whether it was closed.
    fn silent(connections: &Arc<SilentConnections>, last: u8) -> (Peer, AbortHandle) {
        let (task, _) = AbortHandle::new_pair();
        let peer = connections.accepted(address(last));
        peer.is_silent(task.clone());
        (peer, task)
    }

    fn closed(peers: &[(Peer, AbortHandle)]) -> Vec<bool> {
        peers.iter().map(|(_, task)| task.is_aborted()).collect()
    }

    #[test]
    fn beyond_the_bound_of_an_address_its_oldest_connection_is_closed() {
        let connections = Arc::new(SilentConnections::new(100, 2));
        let peers: Vec<_> = [1, 1, 2, 1, 1].map(|last| silent(&connections, last)).into();
        assert_eq!(closed(&peers), [true, true, false, false, false]);
    }

    #[test]
    fn beyond_the_bound_of_all_the_oldest_connection_is_closed() {
        let connections = Arc::new(SilentConnections::new(3, 2));
        let peers: Vec<_> = (1..=5).map(|last| silent(&connections, last)).collect();
        assert_eq!(closed(&peers), [true, true, false, false, false]);
    }

    #[test]
    fn a_connection_that_has_sent_a_request_or_ended_does_not_count() {
        let connections = Arc::new(SilentConnections::new(2, 2));
        let (speaking, task) = silent(&connections, 1);
        let (ended, _) = silent(&connections, 1);
        speaking.speaks();
        drop(ended);
        // Its first request arrived together with the connection.
        let prompt = connections.accepted(address(1));
        prompt.speaks();
        let (handle, _) = AbortHandle::new_pair();
        prompt.is_silent(handle.clone());
        let others = [silent(&connections, 1), silent(&connections, 2)];
        assert_eq!(closed(&others), [false, false]);
        assert!(!task.is_aborted() && !handle.is_aborted());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let connections = Arc::new(SilentConnections::new(100, 1));
        let peers: Vec<_> = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
            .map(|text| {
                let (task, _) = AbortHandle::new_pair();
                let peer = connections.accepted(text.parse().unwrap());
                peer.is_silent(task.clone());
                (peer, task)
            })
            .into();
        assert_eq!(closed(&peers), [true, false, false]);
    }

    #[test]
    fn without_descriptors_the_oldest_connections_are_closed() {
        let connections = Arc::new(SilentConnections::new(1_000, 1_000));
        connections.make_room();
        let peers: Vec<_> = (0..100).map(|last| silent(&connections, last)).collect();
        connections.make_room();
        let expected: Vec<_> = (0..100).map(|number| number < MADE_ROOM).collect();
        assert_eq!(closed(&peers), expected);
    }

    #[test]
    fn connections_that_have_ended_leave_nothing() {
        let connections = Arc::new(SilentConnections::new(1_000, 10));
        for _ in 0..2 {
            let peers: Vec<_> = (0..5_000)
                .map(|number: u32| silent(&connections, (number % 200) as u8))
                .collect();
            assert!(connections.entries.lock().is_flooded);
            drop(peers);
            let entries = connections.entries.lock();
            assert!(entries.connections.is_empty() && entries.addresses.is_empty());
            assert!(!entries.is_flooded && entries.addresses.capacity() < 10);
        }
    }
}
