//! The design of the cluster as it is, and as it may become.

/// Parts of the design that may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Design {
    pub(crate) name: &'static str,
    /// Only one node of each NATS server answers a barrier.
    pub(crate) answers_by_server: bool,
    /// A node announces the last numbers of all subjects in one message.
    pub(crate) one_announcement: bool,
    /// Nodes tell only the sizes of rooms that another node has asked for. Few are, so none are counted.
    pub(crate) sizes_on_demand: bool,
}

/// The design as it is, and what would be changed, one after the other.
pub(crate) const DESIGNS: [Design; 4] = {
    let today = Design {
        name: "today",
        answers_by_server: false,
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
    let on_demand = Design {
        name: "and sizes only of rooms that are asked for",
        sizes_on_demand: true,
        ..one
    };
    [today, by_server, one, on_demand]
};
