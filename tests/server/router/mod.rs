//! The router and procedures: invalid routers, the order of layers, and use without a server.
#![allow(
    clippy::unwrap_used,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

use crate::common;

/// Declares outgoing messages with these names.
macro_rules! outgoing {
    ($($name:ident: $event_type:literal),*) => {$(
        #[derive(Serialize, JsonSchema)]
        struct $name {
            text: &'static str,
        }

        impl Outgoing for $name {
            const TYPE: &'static str = $event_type;
        }
    )*};
}

mod input;
mod layers;
mod oneshot;
mod problems;
mod receive;
mod refusals;
mod reserved;

use std::any::Any;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower::BoxError;
use zocket::{Code, Connection, Error, Message, Outgoing, RawPayload};

outgoing! {
    Said: "chat.said"
}

#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
struct Post {
    #[garde(length(chars, min = 1, max = 5))]
    text: String,
}

/// Returns a message without a payload.
fn message<C: Any + Send + Sync>(context: C, route: &'static str) -> Message {
    Message::new(Connection::detached(context), route, RawPayload::absent())
}

/// Returns a message with a [`Post`].
fn post(connection: Connection, text: &str) -> Message {
    let payload = RawPayload::json(json!({ "text": text }).to_string());
    Message::new(connection, "post", payload)
}

/// Returns the code of a refusal.
fn code(error: &BoxError) -> Code {
    error.downcast_ref::<Error>().unwrap().code()
}
