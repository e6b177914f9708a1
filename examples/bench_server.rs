//! The server of the benchmarks: a small app with the public API and the default limits. `cargo build --release
//! --example bench_server`. It listens on `ADDR`, and each client names its user in the connect header `user`. With the
//! feature `nats` and the address of a NATS server in `NATS`, it is a node.

use std::{env, error::Error};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{ClientId, Context, Error as Refusal, Outgoing, Zocket, server};

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(length(chars, min = 1, max = 64))]
    user: String,
}

struct User {
    name: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Echo {
    #[garde(length(chars, max = 65_536))]
    text: String,
    #[garde(skip)]
    n: i64,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
struct Room {
    #[garde(length(chars, min = 1, max = 64))]
    room_id: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
struct Say {
    #[garde(length(chars, min = 1, max = 64))]
    room_id: String,
    #[garde(length(chars, max = 65_536))]
    text: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Said {
    room_id: String,
    text: String,
    from: String,
}

impl Outgoing for Said {
    const TYPE: &'static str = "room.said";
}

/// A middleware, as most apps have one.
struct Known {
    name: String,
}

async fn known(cx: Context<User>) -> Result<Known, Refusal> {
    Ok(Known {
        name: cx.name.clone(),
    })
}

async fn echo(_: Context<Known>, input: Echo) -> Result<Echo, Refusal> {
    Ok(input)
}

async fn join(cx: Context<Known>, Room { room_id }: Room) -> Result<(), Refusal> {
    cx.rooms().join(room_id)
}

async fn leave(cx: Context<Known>, Room { room_id }: Room) -> Result<(), Refusal> {
    cx.rooms().leave(room_id);
    Ok(())
}

async fn say(cx: Context<Known>, Say { room_id, text }: Say) -> Result<(), Refusal> {
    let from = cx.name.clone();
    cx.send(Said {
        room_id: room_id.clone(),
        text,
        from,
    })
    .to_room(room_id);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .init();
    let builder = Zocket::builder();
    #[cfg(feature = "nats")]
    let builder = match env::var("NATS") {
        Ok(nats) => {
            let options = zocket::cluster::NatsOptions::default();
            builder.hub(zocket::cluster::NatsHub::connect(nats, options).await?)
        }
        Err(_) => builder,
    };
    let zo = builder
        .on_connect(async |headers: Headers, _: ClientId| Ok(User { name: headers.user }))
        .build();
    let message = zo.message().with(known);
    let room = zo
        .router()
        .outgoing::<Said>()
        .incoming("join", message.clone().handle(join))
        .incoming("leave", message.clone().handle(leave))
        .incoming("say", message.clone().handle(say));
    let router = zo
        .router()
        .incoming("echo", message.handle(echo))
        .nest("room", room);
    let service = zo.serve(router);

    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = server::listen(addr).await?;
    tracing::info!("listening on {}", listener.local_addr()?);
    server::serve(listener, service).await;
    Ok(())
}
