//! A lock's guard that lives across an `.await` in a handler.
use std::sync::Mutex;
use zocket::{Context, Error, Zocket};

#[derive(Default)]
struct User {
    posts: Mutex<usize>,
}

async fn post(cx: Context<User>) -> Result<(), Error> {
    let mut posts = cx.posts.lock().unwrap();
    cx.flush().await?;
    *posts += 1;
    Ok(())
}

fn main() {
    let zo = Zocket::builder()
        .on_connect(async |_: zocket::NoHeaders, _: zocket::ClientId| Ok(User::default()))
        .build();
    let _ = zo.message().handle(post);
}
