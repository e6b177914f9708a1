//! A handler that takes another input than the procedure declares.
use zocket::{Context, Error, Zocket};

#[derive(serde::Deserialize, schemars::JsonSchema, garde::Validate)]
struct Post {}

#[derive(serde::Deserialize, schemars::JsonSchema, garde::Validate)]
struct Edit {}

async fn edit(_: Context<()>, _: Edit) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.message().input::<Post>().handle(edit);
}
