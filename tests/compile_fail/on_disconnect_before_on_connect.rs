//! `on_disconnect` before the callback that makes its context.
use zocket::{ClientId, Context, NoHeaders, Zocket};

struct User {}

fn main() {
    let _ = Zocket::builder()
        .on_disconnect(async |_: Context<User>| ())
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(User {}))
        .build();
}
