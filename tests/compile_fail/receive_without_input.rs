//! A message that is received by a procedure that ignores it.
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
    type Answer = ();
}

async fn bid(_: Context<()>) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.router().receive::<Bid>(zo.message().handle(bid));
}
