//! An async closure as a handler that uses a variable of the function around it.
use std::sync::Arc;
use zocket::{Context, Zocket};

fn main() {
    let motd: Arc<str> = "hello".into();
    let zo = Zocket::builder().build();
    let _ = zo.message().handle(async move |_: Context<()>| Ok(motd.to_string()));
}
