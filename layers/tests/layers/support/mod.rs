//! Helpers that several tests share.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

pub(crate) mod failed;
pub(crate) mod permits;
pub(crate) mod probe;

use std::future::poll_fn;

use schemars::JsonSchema;
use serde::Serialize;
use zocket_layers::{Event, Form, Mailbox, Outgoing};

/// An event with a number for its identity.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Said(pub(crate) u64);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

pub(crate) fn number(event: &Event) -> u64 {
    number_of(event.frame(Form::BASE))
}

fn number_of(message: &[u8]) -> u64 {
    let message: serde_json::Value = serde_json::from_slice(message).unwrap();
    message["payload"].as_u64().unwrap()
}

/// Pulls the readable events. Returns their numbers.
pub(crate) fn pull(mailbox: &Mailbox) -> Vec<u64> {
    let mut numbers = Vec::new();
    mailbox.pull_batches(&mut |batch| numbers.extend(messages(&batch.wire).map(number_of)));
    numbers
}

/// Counts the WebSocket frames in `bytes`.
#[allow(dead_code, reason = "not every test file counts frames")]
pub(crate) fn frames_in(wire: &[u8]) -> usize {
    messages(wire).count()
}

/// Returns the payloads of the WebSocket frames in `bytes`.
fn messages(mut wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, header) = match *wire {
            [] => return None,
            [0x81, 126, high, low, ..] => (u16::from_be_bytes([high, low]).into(), 4),
            [0x81, length @ 0..126, ..] => (usize::from(length), 2),
            _ => panic!("no small text frame: {wire:?}"),
        };
        let (frame, rest) = wire.split_at(header + length);
        wire = rest;
        Some(&frame[header..])
    })
}

/// Waits for a notification.
pub(crate) async fn notified(mailbox: &Mailbox) {
    poll_fn(|cx| mailbox.poll_notified(cx)).await;
}
