//! A chat on one page. Each line reaches every tab.

use std::time::Duration;

use axum::{Router, response::Html, routing::get};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower::timeout::TimeoutLayer;
use zocket::{ClientId, Context, Error, Outgoing, Zocket, server};

/// Sent once, with the handshake. Its values are strings.
#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(length(chars, min = 1, max = 40))]
    name: String,
}

/// A message that clients send.
#[derive(Deserialize, JsonSchema, Validate)]
struct Post {
    #[garde(length(chars, min = 1, max = 500))]
    text: String,
}

/// An event that clients receive.
#[derive(Serialize, JsonSchema)]
struct Said {
    from: String,
    text: String,
}

impl Outgoing for Said {
    const TYPE: &'static str = "chat.message";
}

/// The context of a client: every handler has it, as long as the client's session lasts.
struct User {
    name: String,
}

async fn post(cx: Context<User>, input: Post) -> Result<(), Error> {
    let (from, text) = (cx.name.clone(), input.text);
    cx.send(Said { from, text }).to_room("lobby");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let zo = Zocket::builder()
        .on_connect(async |headers: Headers, _: ClientId| Ok(User { name: headers.name }))
        .on_open(async |cx: Context<User>| cx.rooms().join("lobby"))
        .layer(TimeoutLayer::new(Duration::from_secs(5)))
        .build();
    let router = zo
        .router()
        .outgoing::<Said>()
        .incoming("chat.post", zo.message().handle(post));
    let app = Router::new()
        .route("/", get(async || Html(include_str!("index.html"))))
        .route_service("/zocket.js", router.contract().client_files())
        .route_service("/ws", zo.serve(router));

    let addr = std::env::var("ADDR").unwrap_or("127.0.0.1:3000".to_owned());
    let listener = server::listen(addr).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    server::serve(listener, app).await;
    Ok(())
}
