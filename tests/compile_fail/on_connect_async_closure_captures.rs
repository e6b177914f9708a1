//! An async closure in `on_connect` that uses a variable of the function around it.
use std::sync::Arc;
use zocket::{ClientId, Error, NoHeaders, Zocket};

struct User {
    name: Arc<str>,
}

fn main() {
    let name: Arc<str> = "Ann".into();
    let _ = Zocket::builder()
        .on_connect(async move |_: NoHeaders, _: ClientId| Ok::<_, Error>(User { name: name.clone() }))
        .build();
}
