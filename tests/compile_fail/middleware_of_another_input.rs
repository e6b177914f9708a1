//! A handler and a middleware that take different inputs, and a middleware and `.input` that do.
use zocket::{Context, Error, Zocket};

#[derive(serde::Deserialize, schemars::JsonSchema, garde::Validate)]
struct Post {}

#[derive(serde::Deserialize, schemars::JsonSchema, garde::Validate)]
struct Edit {}

async fn by_author(_: Context<()>, post: Post) -> Result<((), Post), Error> {
    Ok(((), post))
}

async fn edit(_: Context<()>, _: Edit) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.message().with_input(by_author).handle(edit);
    let _ = zo.message().input::<Edit>().with_input(by_author);
    let _ = zo.message().with_input(by_author).input::<Edit>();
}
