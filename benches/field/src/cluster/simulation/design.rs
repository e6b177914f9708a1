//! The design of the cluster as it is, and as it may become.

/// Parts of the design that may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Design {
    pub(crate) name: &'static str,
    /// Only one node of each NATS server answers a barrier.
    pub(crate) answers_by_server: bool,
    /// A client's events arrive by a subject of its node, which its id names.
    pub(crate) client_by_node: bool,
    /// A node announces the last numbers of all subjects in one message.
    pub(crate) one_announcement: bool,
    /// Nodes tell only the sizes of rooms that another node has asked for. Few are, so none are counted.
    pub(crate) sizes_on_demand: bool,
}

/// The design as it is, and what would be changed, one after the other.
pub(crate) const DESIGNS: [Design; 5] = {
    let today = Design {
        name: "today",
        answers_by_server: false,
        client_by_node: false,
        one_announcement: false,
        sizes_on_demand: false,
    };
    let by_server = Design {
        name: "one node of each NATS server answers a barrier",
        answers_by_server: true,
        ..today
    };
    let one = Design {
        name: "and one announcement of all last numbers",
        one_announcement: true,
        ..by_server
    };
    let by_node = Design {
        name: "and clients have the subject of their node",
        client_by_node: true,
        ..one
    };
    let on_demand = Design {
        name: "and sizes only of rooms that are asked for",
        sizes_on_demand: true,
        ..by_node
    };
    [today, by_server, one, by_node, on_demand]
};
