//! A node: the chat's server.

use std::{error::Error as StdError, io::Write};

use axum::{Router, response::Html, routing::get};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{
    ClientId, Context, Error, Outgoing, Zocket,
    cluster::{NatsHub, NatsOptions},
    server,
};

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(length(chars, min = 1, max = 40))]
    name: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Post {
    #[garde(length(chars, min = 1, max = 500))]
    text: String,
}

/// The node of a client, and the number of people on all nodes.
#[derive(Serialize, JsonSchema)]
struct Here {
    node: String,
    people: usize,
}

/// A line of the chat.
#[derive(Serialize, JsonSchema)]
struct Said {
    from: String,
    node: String,
    text: String,
}

impl Outgoing for Said {
    const TYPE: &'static str = "chat.message";
}

/// Context of a client.
struct User {
    name: String,
    node: String,
}

async fn here(cx: Context<User>) -> Result<Here, Error> {
    Ok(Here {
        node: cx.node.clone(),
        people: cx.rooms().size("lobby").await,
    })
}

async fn post(cx: Context<User>, Post { text }: Post) -> Result<(), Error> {
    let (from, node) = (cx.name.clone(), cx.node.clone());
    cx.send(Said { from, node, text }).to_room("lobby");
    Ok(())
}

/// Serves the chat on a free port, which it prints.
pub(crate) async fn run(node: &str, nats: &str) -> Result<(), Box<dyn StdError>> {
    let hub = NatsHub::connect(nats, NatsOptions::default().prefix("chat")).await?;
    let zo = Zocket::builder()
        .hub(hub)
        .on_connect_with(
            node.to_owned(),
            async |node: String, headers: Headers, _: ClientId| {
                let name = headers.name;
                Ok(User { name, node })
            },
        )
        .on_open(async |cx: Context<User>| cx.rooms().join("lobby"))
        .build();
    let router = zo
        .router()
        .outgoing::<Said>()
        .incoming("here", zo.message().handle(here))
        .incoming("chat.post", zo.message().handle(post));
    let app = Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route_service("/zocket.js", router.contract().client_files())
        .route_service("/ws", zo.serve(router));
    let listener = server::listen("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    server::serve(listener, app).await;
    Ok(())
}
