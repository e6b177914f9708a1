//! `on_open` before the callback that makes its context.
use zocket::{ClientId, Context, NoHeaders, Zocket};

struct User {}

fn main() {
    let _ = Zocket::builder()
        .on_open(async |_: Context<User>| Ok(()))
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(User {}))
        .build();
}
