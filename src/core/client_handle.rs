use std::sync::Arc;

use zocket_layers::{Connection, Context};

/// A client's connection and the app's value. Contexts outside of messages are created from it on demand, because most
/// connections need one only when they end.
pub(crate) struct ClientHandle<C> {
    pub(crate) connection: Connection,
    /// The value that `on_connect` made.
    pub(crate) value: Arc<C>,
}

impl<C> ClientHandle<C> {
    /// Creates a context outside of any message.
    pub(crate) fn context(&self) -> Context<C> {
        Context::of_connection(&self.connection, self.value.clone())
    }
}

impl<C> Clone for ClientHandle<C> {
    fn clone(&self) -> Self {
        Self {
            connection: self.connection.clone(),
            value: self.value.clone(),
        }
    }
}
