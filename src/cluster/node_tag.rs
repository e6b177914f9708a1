//! Ids of clients, which name their node.

use std::fmt;

use uuid::{Builder, Uuid};
use zocket_layers::ClientId;

/// The first 32 bits of a node's id, and of the ids of its clients. Nodes may share one: then both receive what is sent to
/// clients of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeTag([u8; 4]);

impl NodeTag {
    pub(super) fn of_node(node: Uuid) -> Self {
        let [a, b, c, d, ..] = *node.as_bytes();
        Self([a, b, c, d])
    }

    pub(super) fn of_client(client: ClientId) -> Self {
        Self::of_node(client.into())
    }

    /// Creates the id of a client of this node. 90 of its bits are random.
    pub(super) fn new_client_id(self) -> ClientId {
        let mut bytes = *Uuid::new_v4().as_bytes();
        bytes[..4].copy_from_slice(&self.0);
        Builder::from_custom_bytes(bytes).into_uuid().into()
    }
}

impl fmt::Display for NodeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_ids_of_clients_name_their_node_and_are_random_otherwise() {
        let node = Uuid::new_v4();
        let tag = NodeTag::of_node(node);
        assert_eq!(tag.to_string(), node.simple().to_string()[..8]);
        let ids: HashSet<_> = (0..1_000).map(|_| tag.new_client_id()).collect();
        assert_eq!(ids.len(), 1_000);
        let mut seen = [0_u8; 16];
        for id in ids {
            assert_eq!(NodeTag::of_client(id), tag);
            let uuid = Uuid::from(id);
            assert_eq!(uuid.get_version_num(), 8);
            assert_eq!(id.to_string().parse(), Ok(id));
            for (seen, (one, first)) in seen.iter_mut().zip(uuid.as_bytes().iter().zip(node.as_bytes())) {
                *seen |= one ^ first;
            }
        }
        // All bits differ but those of the node, the version and the variant.
        assert_eq!(seen[..4], [0; 4]);
        assert!(
            seen[4..]
                .iter()
                .enumerate()
                .all(|(at, bits)| bits | [0, 0, 0xf0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0][at] == 0xff)
        );
    }
}
