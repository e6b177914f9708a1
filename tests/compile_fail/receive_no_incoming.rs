//! A type that is received and does not say by which name.
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use zocket::{Context, Error, Zocket};

#[derive(Deserialize, JsonSchema, Validate)]
struct Bid {
    #[garde(skip)]
    cents: u64,
}

async fn bid(_: Context<()>, bid: Bid) -> Result<u64, Error> {
    Ok(bid.cents)
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.router().receive::<Bid>(zo.message().handle(bid));
}
