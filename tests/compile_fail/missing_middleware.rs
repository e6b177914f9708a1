//! A handler for admins, without the middleware that checks for one.
use zocket::{ClientId, Context, Error, NoHeaders, Zocket};

struct User {}
struct Admin {}

async fn clear(_: Context<Admin>) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let zo = Zocket::builder().on_connect(async |_: NoHeaders, _: ClientId| Ok(User {})).build();
    let _ = zo.message().handle(clear);
}
