//! A server on axum and a client of it: the client says hello, and hears it in the room that it has joined.

use std::time::Duration;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{Context, Error, Incoming, Outgoing, Zocket, client::Client};

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Hello {
    #[garde(length(chars, min = 1))]
    text: String,
}

impl Incoming for Hello {
    const TYPE: &'static str = "hello";
    type Answer = ();
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Said {
    text: String,
}

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

async fn hello(cx: Context<()>, input: Hello) -> Result<(), Error> {
    cx.send(Said { text: input.text }).to_room("lobby");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let zo = Zocket::builder()
        .on_open(async |cx: Context<()>| cx.rooms().join("lobby"))
        .build();
    let router = zo
        .router()
        .outgoing::<Said>()
        .receive::<Hello>(zo.message().handle(hello));
    let app = axum::Router::new().route_service("/ws", zo.serve(router));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/ws", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, app).await });

    let client = Client::builder(&url).connect().await?;
    let mut said = client.on::<Said>();
    client.call(&Hello { text: "hello".into() }).await?;
    let said = tokio::time::timeout(Duration::from_secs(10), said.next())
        .await?
        .ok_or("the client has ended")??;
    assert_eq!(said.text, "hello");
    let Err(refusal) = client.call(&Hello { text: String::new() }).await else {
        return Err("an empty text was accepted".into());
    };
    println!("said {:?}; {refusal}", said.text);
    Ok(())
}
