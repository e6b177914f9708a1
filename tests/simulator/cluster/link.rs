//! A node's connection to its server.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use indexmap::IndexSet;
use tokio::sync::mpsc;
use zocket::cluster::EngineEvent;

/// Index of a connection. Each start of a node has one of its own.
pub type Conn = usize;
pub type Subject = Arc<str>;

/// Operation of a connection, on its way to its server.
#[derive(Debug, Clone)]
pub enum Op {
    Subscribe(Subject),
    Unsubscribe(Subject),
    Publish(Subject, Bytes),
}

/// The node's end of a connection, as its client library keeps it.
#[derive(Debug)]
pub struct Link {
    pub server: usize,
    pub is_up: bool,
    /// True while all that is sent and received vanishes, before the loss of the connection is noticed.
    pub is_silent: bool,
    pub is_stalled: bool,
    pub is_dead: bool,
    /// Requests to subscribe or to unsubscribe that are refused yet.
    pub refusals: usize,
    /// Deliveries that are dropped yet.
    pub drops: usize,
    /// Counts the connections, so that what was under way on an earlier one is lost.
    pub epoch: u64,
    pub subscribed: IndexSet<Subject>,
    /// Operations that wait for the connection's return.
    pub buffer: VecDeque<Op>,
    pub reports: mpsc::Sender<EngineEvent>,
}

impl Link {
    pub fn new(server: usize, reports: mpsc::Sender<EngineEvent>) -> Self {
        Self {
            server,
            is_up: true,
            is_silent: false,
            is_stalled: false,
            is_dead: false,
            refusals: 0,
            drops: 0,
            epoch: 0,
            subscribed: IndexSet::new(),
            buffer: VecDeque::new(),
            reports,
        }
    }
}
