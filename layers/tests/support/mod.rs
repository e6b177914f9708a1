//! What the tests of the hub have in common.

use std::future::poll_fn;

use schemars::JsonSchema;
use serde::Serialize;
use zocket_layers::{Event, Mailbox, Outgoing};

/// An event that is told from others by its number.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Said(pub(crate) u64);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

pub(crate) fn number(event: &Event) -> u64 {
    let frame: serde_json::Value = serde_json::from_slice(event.frame()).unwrap();
    frame["payload"].as_u64().unwrap()
}

/// What there is to read now.
pub(crate) fn pull(mailbox: &Mailbox) -> Vec<u64> {
    let mut events = Vec::new();
    mailbox.pull(&mut events);
    events.iter().map(number).collect()
}

/// Waits for a notification.
#[allow(dead_code, reason = "not every test file waits")]
pub(crate) async fn notified(mailbox: &Mailbox) {
    poll_fn(|cx| mailbox.poll_notified(cx)).await;
}
