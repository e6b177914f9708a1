use http::Extensions;

use super::state::MessageState;
use crate::{
    connection::{Connection, Turn},
    protocol::{Head, Name, RpcId},
};

/// Parts of a message beside payload and context: route, id, connection, extensions.
#[derive(Debug)]
pub struct Parts {
    /// Values that stages pass to each other.
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

    /// Returns the dotted path of the route.
    #[must_use]
    pub fn route(&self) -> &Name {
        &self.head().route
    }

    /// Sets another route, for stages further inside. Stages outside keep the route that they have read.
    pub fn set_route(&mut self, route: impl Into<Name>) {
        self.head_mut().route = route.into();
    }

    /// Returns the id, or none if the client expects no answer.
    #[must_use]
    pub fn rpc_id(&self) -> Option<&RpcId> {
        self.head().rpc_id.as_ref()
    }

    /// Sets another id, for stages further inside. The answer still carries the id that arrived.
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

    /// Gives up the turn, so that the connection's next message begins before this one ends.
    pub fn give_up_turn(&self) {
        if let Some(turn) = self.turn {
            self.connection().turns().give_up(turn);
        }
    }

    /// Returns the connection that the message arrived on.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        self.state.connection()
    }

    /// Creates the parts for another attempt at the same message.
    pub(crate) fn fork(&self) -> Self {
        Self {
            extensions: self.extensions.clone(),
            changed: self.changed.clone(),
            turn: self.turn,
            state: self.state.fork(),
        }
    }
}
