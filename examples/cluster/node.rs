//! A node: the chat's server.

use std::{error::Error as StdError, io::Write, sync::Arc, time::Duration};

use axum::{Router, response::Html, routing::get};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, stdin},
    sync::oneshot,
};
use zocket::{ClientId, Context, Error, Outgoing, Shutdown, Zocket, cluster::NatsHub, server};

use crate::around_nats::{Figures, Outcomes, options};

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

/// The node of a client with its requests to NATS, and the number of people on all nodes.
#[derive(Serialize, JsonSchema)]
struct Here {
    node: String,
    people: usize,
    nats: Figures,
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

/// State of the node.
struct Node {
    name: String,
    outcomes: Arc<Outcomes>,
}

/// Context of a client.
struct User {
    name: String,
    node: Arc<Node>,
}

async fn here(cx: Context<User>) -> Result<Here, Error> {
    Ok(Here {
        node: cx.node.name.clone(),
        people: cx.rooms().size("lobby").await,
        nats: cx.node.outcomes.figures(),
    })
}

async fn post(cx: Context<User>, Post { text }: Post) -> Result<(), Error> {
    let (from, node) = (cx.name.clone(), cx.node.name.clone());
    cx.send(Said { from, node, text }).to_room("lobby");
    Ok(())
}

/// Serves the chat on a free port, which it prints, until its input ends.
pub(crate) async fn run(node: &str, nats: &str) -> Result<(), Box<dyn StdError>> {
    let outcomes = Arc::<Outcomes>::default();
    let hub = NatsHub::connect(nats, options(outcomes.clone())).await?;
    tracing::info!(node = %hub.node(), "the id of this node");
    let node = Arc::new(Node {
        name: node.to_owned(),
        outcomes,
    });
    let zo = Zocket::builder()
        .hub(hub.clone())
        .on_connect_with(node, async |node: Arc<Node>, headers: Headers, _: ClientId| {
            let name = headers.name;
            Ok(User { name, node })
        })
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
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve_until(listener, app, async { drop(stopped.await) }));

    stdin().read_to_end(&mut Vec::new()).await?;
    drop(stop);
    // Clients are told to come to another node. It gets the last events, and learns that this one ends.
    zo.shutdown(Shutdown::within(Duration::from_secs(10)).restart())
        .await;
    hub.leave().await?;
    serving.await?;
    Ok(())
}
