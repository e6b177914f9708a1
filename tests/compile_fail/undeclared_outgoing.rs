//! Sending a type that is not an outgoing message.
use serde::Serialize;
use zocket::{Context, Error};

#[derive(Serialize)]
struct Said {}

async fn post(cx: Context<()>) -> Result<(), Error> {
    cx.send(Said {}).to_room("lobby");
    Ok(())
}

fn main() {
    let _ = post;
}
