//! A procedure that is received without the message's type, and has no input to find it by.
use zocket::{Context, Error, Zocket};

async fn bid(_: Context<()>) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.router().receive(zo.message().handle(bid));
}
