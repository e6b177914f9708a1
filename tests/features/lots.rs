//! An auction whose messages and refusals are types.

#![allow(unreachable_pub, reason = "these are the helpers of tests")]

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{Code, Context, Error, Incoming, Refusal, Router, Zocket};

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
pub struct Bid {
    #[garde(range(min = 1))]
    pub cents: u64,
}

impl Incoming for Bid {
    const TYPE: &'static str = "lot.bid";
    type Answer = Price;
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Price {
    pub cents: u64,
}

/// A handler that never answers.
#[derive(Serialize, Deserialize, JsonSchema, Validate)]
pub struct Wait {}

impl Incoming for Wait {
    const TYPE: &'static str = "lot.wait";
    type Answer = ();
}

/// A message without a payload. Its answer is the number of times that it was received.
#[derive(Serialize)]
pub struct Close;

impl Incoming for Close {
    const TYPE: &'static str = "lot.close";
    type Answer = usize;
}

/// The bid was below [`LEAST`].
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outbid {
    pub least: u128,
}

impl Refusal for Outbid {
    const CODE: Code = Code::app("OUTBID");
}

/// The lowest price. Bids below it are refused.
pub const LEAST: u64 = 1_000;
/// Price in the data of an [`Outbid`]: no float has it.
pub const NEXT: u128 = u128::MAX - 1;
/// The price at which the lot is closed, without data.
pub const CLOSED: u64 = 9_999;

pub async fn bid(_: Context<()>, bid: Bid) -> Result<Price, Error> {
    match bid.cents {
        CLOSED => Err(Error::new(Closed::CODE, "the lot is closed")),
        ..LEAST => Err(Error::refuse(Outbid { least: NEXT })),
        cents => Ok(Price { cents }),
    }
}

pub fn router(zo: &Zocket<()>) -> Router<()> {
    let bid = zo
        .message()
        .refuses::<Outbid>()
        .declare_code(Closed::CODE)
        .handle(bid);
    let wait = zo
        .message()
        .concurrent()
        .handle(async |_: Context<()>, _: Wait| std::future::pending::<Result<(), Error>>().await);
    let closes = Arc::new(AtomicUsize::new(0));
    let close = zo.message().handle(move |_: Context<()>| {
        let closes = 1 + closes.fetch_add(1, Ordering::Relaxed);
        async move { Ok(closes) }
    });
    zo.router()
        .receive::<Bid>(bid)
        .receive::<Wait>(wait)
        .receive::<Close>(close)
}

/// Types of a client that has another contract.
pub mod other {
    use super::*;

    /// A [`super::Bid`] with another answer.
    #[derive(Serialize)]
    pub struct Bid {
        pub cents: u64,
    }

    impl Incoming for Bid {
        const TYPE: &'static str = "lot.bid";
        type Answer = String;
    }

    /// Data of another shape.
    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    pub struct Outbid {
        pub by: String,
    }

    impl Refusal for Outbid {
        const CODE: Code = Code::app("OUTBID");
    }
}

/// Data that the server does not send.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Closed {
    pub at: u64,
}

impl Refusal for Closed {
    const CODE: Code = Code::app("CLOSED");
}

/// A [`Bid`] that borrows, in another form.
#[derive(Serialize)]
pub struct BorrowedBid<'a> {
    pub cents: &'a u64,
}

impl Incoming for BorrowedBid<'_> {
    const TYPE: &'static str = "lot.bid";
    type Answer = Price;
}

/// A message that is no JSON: its keys are no texts.
#[derive(Serialize)]
pub struct Unwritable(pub HashMap<(u8, u8), u8>);

impl Unwritable {
    pub fn new() -> Self {
        Self(HashMap::from([((1, 2), 3)]))
    }
}

impl Incoming for Unwritable {
    const TYPE: &'static str = "lot.bid";
    type Answer = Price;
}
