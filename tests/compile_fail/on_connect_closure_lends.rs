//! A closure in `on_connect` whose future borrows what the closure captures.
use std::sync::Arc;
use zocket::{ClientId, Error, NoHeaders, Zocket};

struct User {
    name: Arc<str>,
}

fn main() {
    let name: Arc<str> = "Ann".into();
    let _ = Zocket::builder()
        .on_connect(move |_: NoHeaders, _: ClientId| async { Ok::<_, Error>(User { name: name.clone() }) })
        .build();
}
