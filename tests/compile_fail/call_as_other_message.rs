//! A procedure that is called with the message of another one.
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{Context, Error, Incoming, Zocket};

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Bid {
    #[garde(skip)]
    cents: u64,
}

impl Incoming for Bid {
    const TYPE: &'static str = "lot.bid";
    type Answer = u64;
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Watch {}

impl Incoming for Watch {
    const TYPE: &'static str = "lot.watch";
    type Answer = u64;
}

async fn bid(_: Context<()>, bid: Bid) -> Result<u64, Error> {
    Ok(bid.cents)
}

fn main() {
    let zo = Zocket::builder().build();
    let bid = zo.message().handle(bid);
    drop(bid.call_as(&zo.detached(()), &Watch {}));
}
