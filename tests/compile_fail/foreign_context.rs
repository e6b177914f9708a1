//! A route of one app in the router of another.
use zocket::{ClientId, Context, Error, NoHeaders, Zocket};

struct User {}

async fn endpoint(_: Context<()>) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let one = Zocket::builder().on_connect(async |_: NoHeaders, _: ClientId| Ok(User {})).build();
    let other = Zocket::builder().build();
    let endpoint = other.message().handle(endpoint);
    let _ = one.router().incoming("x", endpoint);
}
