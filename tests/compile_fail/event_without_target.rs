//! An event without a target.
#![deny(unused_must_use)]
use schemars::JsonSchema;
use serde::Serialize;
use zocket::{Context, Outgoing};

#[derive(Serialize, JsonSchema)]
struct Said {}

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

fn say(cx: &Context<()>) {
    cx.send(Said {});
}

fn main() {
    let _ = say;
}
