use http::Extensions;

use super::state::MessageState;
use crate::{
    connection::{Connection, Turn},
    protocol::{Head, Name, RpcId},
};

/// The parts of a message beside payload and context: route, id, connection, extensions.
#[derive(Debug)]
pub struct Parts {
    /// Values that stages hand to each other.
    pub extensions: Extensions,
    /// Overrides the route and id that arrived, set by `set_route` and `set_rpc_id`.
    changed: Option<Box<Head>>,
    turn: Option<Turn>,
    pub(crate) state: MessageState,
}

impl Parts {
    pub(super) fn new(state: MessageState, turn: Option<Turn>) -> Self {
        Self {
            extensions: Extensions::new(),
            changed: None,
            turn,
            state,
        }
    }

    /// The dotted path of the route.
    #[must_use]
    pub fn route(&self) -> &Name {
        &self.head().route
    }

    /// Sets another route. Stages further outside keep the one that they have seen.
    pub fn set_route(&mut self, route: impl Into<Name>) {
        self.head_mut().route = route.into();
    }

    /// The id that the answer carries; none where no answer is wanted.
    #[must_use]
    pub fn rpc_id(&self) -> Option<&RpcId> {
        self.head().rpc_id.as_ref()
    }

    /// Sets another id. The answer carries the one that arrived.
    pub fn set_rpc_id(&mut self, rpc_id: Option<RpcId>) {
        self.head_mut().rpc_id = rpc_id;
    }

    fn head(&self) -> &Head {
        self.changed.as_deref().unwrap_or_else(|| self.state.head())
    }

    fn head_mut(&mut self) -> &mut Head {
        self.changed
            .get_or_insert_with(|| Box::new(self.state.head().clone()))
    }

    /// Lets the connection's next message begin before the end of this one.
    pub fn give_up_turn(&self) {
        if let Some(turn) = self.turn {
            self.connection().turns().give_up(turn);
        }
    }

    /// The connection that the message arrived on.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        self.state.connection()
    }

    /// The parts of one more attempt at the same message.
    pub(crate) fn fork(&self) -> Self {
        Self {
            extensions: self.extensions.clone(),
            changed: self.changed.clone(),
            turn: self.turn,
            state: self.state.fork(),
        }
    }
}
