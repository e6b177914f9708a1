//! A hub built with the public API only: it fills mailboxes itself, and completes its joins later.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use futures_util::FutureExt;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};
use tower::limit::GlobalConcurrencyLimitLayer;
use zocket::{
    ClientId, Context, Error, Hub, Outgoing, Target, Zocket,
    layers::{
        Audience, Effect, Mailbox,
        hub::{BoxFuture, ConnectOptions, Full, Gathered, Performed, Ticket},
    },
};

use crate::common::{Server, serve, until};

/// A hub whose joins stay pending until the test completes them.
#[derive(Debug, Default)]
struct SlowHub {
    clients: Mutex<HashMap<ClientId, Arc<Mailbox>>>,
    members: Mutex<BTreeSet<Member>>,
    joins: Mutex<Vec<Join>>,
}

type Member = (Arc<str>, ClientId);

/// A pending join.
#[derive(Debug)]
struct Join {
    room: Arc<str>,
    client: ClientId,
    done: oneshot::Sender<Result<(), Full>>,
}

impl SlowHub {
    /// Fails for an audience that this hub does not know.
    fn in_target(&self, target: &Target) -> Result<Vec<ClientId>, Full> {
        Ok(match &target.audience {
            Audience::Clients(ids) => ids.clone(),
            Audience::Rooms(names) => {
                let members = self.members.lock();
                let members = members.iter().filter(|(room, _)| names.contains(room));
                members
                    .map(|(_, id)| *id)
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect()
            }
            Audience::Everyone => self.clients.lock().keys().copied().collect(),
            _ => return Err(Full::Unsupported),
        })
    }

    /// Completes the pending joins.
    fn complete_joins(&self) {
        for Join { room, client, done } in self.joins.lock().drain(..) {
            self.members.lock().insert((room, client));
            let _ = done.send(Ok(()));
        }
    }

    /// Fails the pending joins.
    fn fail_joins(&self) {
        for Join { done, .. } in self.joins.lock().drain(..) {
            let reason = "no other node answers".into();
            let _ = done.send(Err(Full::Engine { reason }));
        }
    }

    fn waiting(&self) -> usize {
        self.joins.lock().len()
    }
}

impl Hub for SlowHub {
    fn new_client_id(&self) -> ClientId {
        ClientId::random()
    }

    fn connect(&self, client: ClientId, options: &ConnectOptions) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::new(client, options));
        self.clients.lock().insert(client, mailbox.clone());
        mailbox
    }

    fn disconnect(&self, mailbox: &Mailbox) {
        self.clients.lock().remove(&mailbox.client_id());
        self.members
            .lock()
            .retain(|(_, client)| *client != mailbox.client_id());
    }

    fn perform(&self, from: Option<&ClientId>, effect: Effect) -> Result<Performed, Full> {
        match (effect, from) {
            (Effect::Join(room), Some(client)) => {
                let (done, is_done) = oneshot::channel();
                self.joins.lock().push(Join {
                    room,
                    client: *client,
                    done,
                });
                Ok(Performed::Pending(Ticket::new(async {
                    is_done.await.unwrap_or(Err(Full::Unsupported))
                })))
            }
            (Effect::Leave(room), Some(client)) => {
                self.members.lock().remove(&(room, *client));
                Ok(Performed::Done)
            }
            (Effect::Emit { to, event }, _) => {
                for client in self.in_target(&to)? {
                    if let Some(mailbox) = self.clients.lock().get(&client) {
                        mailbox.push(&event);
                    }
                }
                Ok(Performed::Done)
            }
            _ => Err(Full::Unsupported),
        }
    }

    fn has(&self, client: &ClientId, room: &str) -> bool {
        self.members.lock().contains(&(room.into(), *client))
    }

    fn rooms(&self, client: &ClientId) -> Vec<Arc<str>> {
        let rooms = self.members.lock();
        let own = rooms.iter().filter(|(_, id)| id == client);
        own.map(|(room, _)| room.clone()).collect()
    }

    fn clients<'a>(&'a self, of: &'a Target) -> BoxFuture<'a, Gathered<Vec<ClientId>>> {
        let gathered = self.in_target(of).map_or_else(
            |_| Gathered::partial(Vec::new(), ["here".to_owned()]),
            Gathered::complete,
        );
        Box::pin(std::future::ready(gathered))
    }

    fn size<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Gathered<usize>> {
        let size = self.in_target(&Target::room(room)).map_or(0, |ids| ids.len());
        Box::pin(std::future::ready(Gathered::partial(
            size,
            ["elsewhere".to_owned()],
        )))
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), Full>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn background(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }
}

#[derive(Serialize, JsonSchema)]
struct Said(&'static str);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

async fn enter(cx: Context) -> Result<&'static str, Error> {
    cx.rooms().join("lobby")?;
    Ok("entered")
}

/// Joins, waits for the join, and returns the room's size.
async fn enter_and_look(cx: Context) -> Result<usize, Error> {
    cx.rooms().join("lobby")?;
    cx.flush().await?;
    Ok(cx.rooms().size("lobby").await)
}

/// Joins, and drops the flush that waits for the join.
async fn enter_impatiently(cx: Context) -> Result<&'static str, Error> {
    cx.rooms().join("lobby")?;
    assert!(cx.flush().now_or_never().is_none(), "nobody has let it in");
    Ok("entered")
}

/// Joins, and waits for the join in two concurrent flushes.
async fn enter_and_flush_twice(cx: Context) -> Result<usize, Error> {
    cx.rooms().join("lobby")?;
    let (first, second) = futures_util::future::join(cx.flush(), cx.clone().flush()).await;
    first.and(second)?;
    Ok(cx.rooms().size("lobby").await)
}

async fn look(cx: Context) -> Result<usize, Error> {
    Ok(cx.rooms().size("lobby").await)
}

async fn say(cx: Context) -> Result<(), Error> {
    cx.send(Said("hello")).to_room("lobby");
    Ok(())
}

/// Requests an effect that this hub does not support.
async fn disconnect_self(cx: Context) -> Result<(), Error> {
    cx.clients(cx.client_id()).disconnect(4000, "out");
    Ok(())
}

async fn app() -> (Arc<SlowHub>, Server) {
    let hub = Arc::new(SlowHub::default());
    let zo = Zocket::builder().hub(hub.clone()).build();
    let router = zo
        .router()
        .outgoing::<Said>()
        .incoming("enter", zo.message().handle(enter))
        .incoming("enter_atomic", zo.message().atomic().handle(enter))
        .incoming("enter_impatiently", zo.message().handle(enter_impatiently))
        .incoming(
            "enter_and_flush_twice",
            zo.message().handle(enter_and_flush_twice),
        )
        .incoming(
            "enter_limited",
            zo.message()
                .layer(GlobalConcurrencyLimitLayer::new(1))
                .handle(enter),
        )
        .incoming("enter_and_look", zo.message().handle(enter_and_look))
        .incoming("look", zo.message().handle(look))
        .incoming("say", zo.message().handle(say))
        .incoming("disconnect_self", zo.message().handle(disconnect_self));
    (hub, serve(zo.serve(router)).await)
}

#[tokio::test]
async fn the_answer_to_a_message_waits_for_its_join() {
    for route in ["enter", "enter_atomic", "enter_impatiently"] {
        let (hub, server) = app().await;
        let (mut ann, mut bob) = (server.connect("").await, server.connect("").await);
        let id = ann.begin(route, Value::Null).await;
        until(|| hub.waiting() == 1).await;
        assert_eq!(bob.call("look", Value::Null).await, Ok(Some(json!(0))));
        hub.complete_joins();
        // Ann's first frame is the answer, so it has waited.
        assert_eq!(ann.answer(&id).await, Ok(Some(json!("entered"))));
        bob.call("say", Value::Null).await.unwrap();
        assert_eq!(ann.event("said").await, "hello", "{route}");
    }
}

#[tokio::test]
async fn a_flush_waits_for_the_joins_before_it() {
    let (hub, server) = app().await;
    let mut ann = server.connect("").await;
    let id = ann.begin("enter_and_look", Value::Null).await;
    until(|| hub.waiting() == 1).await;
    hub.complete_joins();
    assert_eq!(ann.answer(&id).await, Ok(Some(json!(1))));
}

#[tokio::test]
async fn two_flushes_wait_for_the_same_join() {
    let (hub, server) = app().await;
    let mut ann = server.connect("").await;
    let id = ann.begin("enter_and_flush_twice", Value::Null).await;
    until(|| hub.waiting() == 1).await;
    hub.complete_joins();
    assert_eq!(ann.answer(&id).await, Ok(Some(json!(1))));
}

#[tokio::test]
async fn a_message_that_waits_for_its_join_holds_no_permit() {
    let (hub, server) = app().await;
    let (mut ann, mut bob) = (server.connect("").await, server.connect("").await);
    let first = ann.begin("enter_limited", Value::Null).await;
    until(|| hub.waiting() == 1).await;
    let second = bob.begin("enter_limited", Value::Null).await;
    until(|| hub.waiting() == 2).await;
    hub.complete_joins();
    assert_eq!(ann.answer(&first).await, Ok(Some(json!("entered"))));
    assert_eq!(bob.answer(&second).await, Ok(Some(json!("entered"))));
}

#[tokio::test]
async fn a_pending_join_that_fails_refuses_its_message() {
    let (hub, server) = app().await;
    let mut ann = server.connect("").await;
    for route in [
        "enter",
        "enter_atomic",
        "enter_impatiently",
        "enter_and_look",
        "enter_and_flush_twice",
    ] {
        let id = ann.begin(route, Value::Null).await;
        until(|| hub.waiting() == 1).await;
        hub.fail_joins();
        let refusal = ann.answer(&id).await.unwrap_err();
        assert_eq!(refusal.code(), "OVERLOADED", "{route}");
        assert!(refusal.message().contains("no other node answers"), "{refusal:?}");
    }
}

#[tokio::test]
async fn an_effect_that_the_hub_does_not_support_fails_its_message() {
    let (_, server) = app().await;
    let mut ann = server.connect("").await;
    let refusal = ann.call("disconnect_self", Value::Null).await.unwrap_err();
    assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
    assert_eq!(ann.call("look", Value::Null).await, Ok(Some(json!(0))));
}

#[tokio::test]
async fn the_first_message_waits_for_the_joins_of_on_open() {
    let hub = Arc::new(SlowHub::default());
    let begun = Arc::new(Semaphore::new(0));
    let opened = begun.clone();
    let zo = Zocket::builder()
        .hub(hub.clone())
        .on_open(move |cx: Context| {
            let opened = opened.clone();
            async move {
                cx.rooms().join("lobby")?;
                opened.add_permits(1);
                Ok(())
            }
        })
        .build();
    let server = serve(zo.serve(zo.router().incoming("look", zo.message().handle(look)))).await;
    let mut ann = server.connect("").await;
    let id = ann.begin("look", Value::Null).await;
    let _ = begun.acquire().await.unwrap();
    until(|| hub.waiting() == 1).await;
    hub.complete_joins();
    assert_eq!(ann.answer(&id).await, Ok(Some(json!(1))));
}
