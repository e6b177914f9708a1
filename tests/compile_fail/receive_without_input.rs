//! A message with members whose procedure ignores them. `Router::receive` evaluates the constant when the compiler
//! generates code. Here it is evaluated by `cargo check`, too.
use serde::Serialize;
use zocket::{Context, Error, Incoming, InputIs, Zocket};

#[derive(Serialize)]
struct Bid {
    cents: u64,
}

impl Incoming for Bid {
    const TYPE: &'static str = "bid";
    type Answer = ();
}

async fn bid(_: Context<()>) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.router().receive::<Bid>(zo.message().handle(bid));
}

const _: () = <() as InputIs<Bid>>::IGNORES_NOTHING;
