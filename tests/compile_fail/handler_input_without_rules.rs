//! A handler that takes an input type without constraints.
use schemars::JsonSchema;
use serde::Deserialize;
use zocket::{Context, Error, Zocket};

#[derive(Deserialize, JsonSchema)]
struct Post {}

async fn post(_: Context<()>, _: Post) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.message().handle(post);
}
