//! A refusal whose type does not say with which code.
use schemars::JsonSchema;
use serde::Serialize;
use zocket::{Context, Error, Zocket};

#[derive(Serialize, JsonSchema)]
struct Outbid {
    least: u64,
}

async fn bid(_: Context<()>) -> Result<(), Error> {
    Err(Error::refuse(Outbid { least: 1_103 }))
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.message().refuses::<Outbid>().handle(bid);
}
