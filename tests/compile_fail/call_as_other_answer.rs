//! A procedure without input that is called with a message that has another answer.
use serde::Serialize;
use zocket::{Context, Error, Incoming, Zocket};

#[derive(Serialize)]
struct Close;

impl Incoming for Close {
    const TYPE: &'static str = "lot.close";
    type Answer = String;
}

async fn close(_: Context<()>) -> Result<u64, Error> {
    Ok(7)
}

fn main() {
    let zo = Zocket::builder().build();
    let close = zo.message().handle(close);
    drop(close.call_as(&zo.detached(()), &Close));
}
