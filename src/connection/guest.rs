//! Whom a connection is of.

use std::sync::Arc;

use zocket_layers::{Connection, Context};

/// Whom a connection is of. Contexts outside of messages are made of this when they are asked for: most connections need
/// one at their end alone.
pub(crate) struct Guest<C> {
    pub(crate) connection: Connection,
    /// What `on_connect` made.
    pub(crate) value: Arc<C>,
}

impl<C> Guest<C> {
    /// A context outside of any message.
    pub(crate) fn context(&self) -> Context<C> {
        Context::of_connection(&self.connection, self.value.clone())
    }
}

impl<C> Clone for Guest<C> {
    fn clone(&self) -> Self {
        Self {
            connection: self.connection.clone(),
            value: self.value.clone(),
        }
    }
}
