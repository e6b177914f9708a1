use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::BoxFuture;

/// The other nodes of an app, for questions to one of them: [`Hub::peers`](super::Hub::peers).
///
/// `zocket` asks a node to end the session of a client that has come to another one.
pub trait Peers: Send + Sync {
    /// Returns the name of this node: 1 to 64 characters of `A` to `Z`, `a` to `z`, `0` to `9`, `_` and `-`. It is in the
    /// tokens of sessions. No other node has it, and this node has another one after each start.
    fn name(&self) -> Arc<str>;

    /// Returns true if a node of this name can be asked now. A name may come from a client.
    fn knows(&self, node: &str) -> bool;

    /// Asks a node. Returns none if it can't be asked, ends meanwhile, or does not answer in time.
    fn ask<'a>(&'a self, node: &'a str, question: String, within: Duration) -> BoxFuture<'a, Option<String>>;

    /// Lets `responder` answer the questions of other nodes, until it is dropped. If there are several, such as those of two
    /// apps that share a hub, the first one that answers does.
    fn answer_with(&self, responder: Weak<dyn Respond>);
}

/// Answers questions of other nodes: [`Peers::answer_with`].
pub trait Respond: Send + Sync {
    /// Answers a question of the node `from`. Returns none if the question is not for this responder.
    fn respond(&self, from: &str, question: &str) -> BoxFuture<'static, Option<String>>;
}
