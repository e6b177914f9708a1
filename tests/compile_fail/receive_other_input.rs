//! A message that is received by a procedure with another input.
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
    const TYPE: &'static str = "bid";
    type Answer = u64;
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Offer {
    #[garde(skip)]
    cents: u64,
}

async fn bid(_: Context<()>, offer: Offer) -> Result<u64, Error> {
    Ok(offer.cents)
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.router().receive::<Bid>(zo.message().handle(bid));
}
