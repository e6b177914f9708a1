//! `?` on an error that is no refusal.
use zocket::{Context, Error, Zocket};

async fn read(_: Context<()>) -> Result<String, Error> {
    Ok(std::fs::read_to_string("motd.txt")?)
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.message().handle(read);
}
