//! An app of this crate, with a client.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{ClientId, Context, Error, Limits, Outgoing, UpgradeService, Zocket, client::Client};

use super::common::{Server, serve, until};

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
pub struct Headers {
    #[garde(length(chars, min = 1))]
    pub name: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
pub struct Post {
    #[garde(length(chars, min = 1))]
    pub text: String,
}

pub fn text(text: impl Into<String>) -> Post {
    Post { text: text.into() }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    pub text: String,
    pub from: String,
}

impl Outgoing for Said {
    const TYPE: &'static str = "chat.message";
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Posted {
    pub length: usize,
}

/// State that the servers of one test share.
#[derive(Clone, Default)]
pub struct World {
    names: Arc<Mutex<Vec<String>>>,
    waiting: Arc<AtomicU32>,
    /// Number of connections whose end the server has noticed.
    gone: Arc<AtomicU32>,
}

impl World {
    /// Names of the clients that asked to connect.
    pub fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }

    /// Returns the app, and its contract's hash.
    pub fn app(&self) -> (UpgradeService, String) {
        async fn connect(world: World, headers: Headers, _: ClientId) -> Result<String, Error> {
            world.names.lock().unwrap().push(headers.name.clone());
            match headers.name.as_str() {
                "stranger" => Err(Error::unauthorized("who are you?")),
                "eager" => Err(Error::too_many_requests(Duration::from_secs(7))),
                _ => Ok(headers.name),
            }
        }
        let (waiting, gone) = (self.waiting.clone(), self.gone.clone());
        let zo = Zocket::builder()
            .on_connect_with(self.clone(), connect)
            .on_open(async |cx: Context<String>| cx.rooms().join("lobby"))
            .on_disconnect(move |_: Context<String>| {
                gone.fetch_add(1, Ordering::SeqCst);
                std::future::ready(())
            })
            .limits(Limits::default().message(100_000))
            .build();
        let post = async |cx: Context<String>, post: Post| {
            let length = post.text.len();
            let said = Said {
                text: post.text,
                from: cx.to_string(),
            };
            cx.send(said).to_room("lobby");
            Ok::<_, Error>(Posted { length })
        };
        let wait = move |_: Context<String>| {
            waiting.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<Result<(), Error>>()
        };
        let refuse = async |_: Context<String>| Err::<(), _>(Error::conflict("no"));
        let router = zo
            .router()
            .outgoing::<Said>()
            .incoming("post", zo.message().input::<Post>().handle(post))
            .incoming(
                "nothing",
                zo.message().handle(async |_: Context<String>| Ok::<_, Error>(())),
            )
            .incoming("wait", zo.message().handle(wait))
            .incoming("refuse", zo.message().handle(refuse));
        let hash = router.contract().hash();
        (zo.serve(router), hash)
    }

    pub async fn serve(&self) -> Server {
        serve(self.app().0).await
    }

    /// Waits until one handler is waiting.
    pub async fn wait_for_handler(&self) {
        until(|| self.waiting.load(Ordering::SeqCst) == 1).await;
    }

    /// Waits until the server has noticed the end of one connection.
    pub async fn wait_for_disconnect(&self) {
        until(|| self.gone.load(Ordering::SeqCst) == 1).await;
    }
}

pub async fn site() -> (World, Server) {
    let world = World::default();
    let server = world.serve().await;
    (world, server)
}

/// Returns a client of a [`site`] that admits no other client.
pub async fn visit() -> (World, Client) {
    let (world, server) = site().await;
    let client = connect(&server).await;
    (world, client)
}

pub async fn connect(server: &Server) -> Client {
    let headers = Headers { name: "bot".into() };
    let builder = Client::builder(server.url("")).headers(&headers).unwrap();
    builder.connect().await.unwrap()
}
