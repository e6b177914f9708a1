//! A handler with an input that the procedure does not declare.
use zocket::{Context, Error, Zocket};

struct Post {}

async fn post(_: Context<()>, _: Post) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.message().handle(post);
}
