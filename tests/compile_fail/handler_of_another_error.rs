//! A handler whose `Err` is a refusal's type.
use schemars::JsonSchema;
use serde::Serialize;
use zocket::{Code, Context, Refusal, Zocket};

#[derive(Serialize, JsonSchema)]
struct Outbid {
    least: u64,
}

impl Refusal for Outbid {
    const CODE: Code = Code::app("OUTBID");
}

async fn bid(_: Context<()>) -> Result<(), Outbid> {
    Err(Outbid { least: 1_103 })
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.message().refuses::<Outbid>().handle(bid);
}
