//! `on_disconnect` before the callback that makes its context.
use zocket::{ClientId, Context, NoHeaders, Zocket};

struct User {}

async fn goodbye(_: Context<User>) {}

fn main() {
    let _ = Zocket::builder()
        .on_disconnect(goodbye)
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(User {}))
        .build();
}
