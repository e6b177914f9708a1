//! A route of one app in the router of another.
use zocket::{ClientId, Context, NoHeaders, Zocket};

struct User {}

fn main() {
    let one = Zocket::builder().on_connect(async |_: NoHeaders, _: ClientId| Ok(User {})).build();
    let other = Zocket::builder().build();
    let endpoint = other.message().handle(async |_: Context<()>| Ok(()));
    let _ = one.router().incoming("x", endpoint);
}
