//! Audit layers: the effects that they report, with client, route and id, and the time at which they report them.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{future::ready, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tower::{
    BoxError, ServiceBuilder, ServiceExt,
    retry::{Policy, RetryLayer},
};
use zocket_layers::{
    Audit, AuditHub, AuditLayer, Audited, ClientId, Connection, Context, ContextLayer, Declared, Effect,
    Error, FanoutLayer, Form, Hub, Limits, LocalHub, Message, Next, RawPayload, Reply, RpcId, ValidateLayer,
    handler_fn, hub::ConnectOptions, middleware::from_fn,
};

type Cx = Context<()>;

/// The audited effects as text.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<String>>>);

impl Audit for Book {
    fn audit(&self, audited: &Audited<'_>) {
        let who = match audited.client {
            Some(_) => "client",
            None => "server",
        };
        let route = audited.route.unwrap_or("-");
        let id = audited.rpc_id.map_or("-", RpcId::as_json);
        self.0
            .lock()
            .push(format!("{who} {route} {id} {:?}", audited.effect));
    }
}

impl Book {
    fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

fn message(connection: &Connection) -> Message {
    let mut message = Message::new(connection.clone(), "route", RawPayload::absent());
    message.parts_mut().set_rpc_id(Some(RpcId::string("a").unwrap()));
    message
}

/// Runs a handler under an audit and a fan-out. Returns its result and the audited effects.
async fn audited<F, Fut>(atomic: bool, handler: F) -> (Result<Reply, BoxError>, Vec<String>)
where
    F: Fn(Cx) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Error>> + Send,
{
    let (book, connection) = (Book::default(), Connection::detached(()));
    let fanout = FanoutLayer::new();
    let stack = ServiceBuilder::new()
        .layer(AuditLayer::new(book.clone()))
        .layer(if atomic { fanout.atomic() } else { fanout })
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<()>::new())
        .service(handler_fn(handler));
    let result = stack.oneshot(message(&connection)).await;
    (result, book.read())
}

async fn enter_and_leave(cx: Cx) -> Result<(), Error> {
    cx.rooms().join("lobby")?;
    cx.rooms().leave("lobby");
    Ok(())
}

async fn enter_and_fail(cx: Cx) -> Result<(), Error> {
    cx.rooms().join("lobby")?;
    Err(Error::conflict("changed my mind"))
}

const ENTERED: &str = r#"client route "a" Join("lobby")"#;
const LEFT: &str = r#"client route "a" Leave("lobby")"#;

#[tokio::test]
async fn each_effect_is_audited_in_order_with_client_route_and_id() {
    for atomic in [false, true] {
        let (result, seen) = audited(atomic, enter_and_leave).await;
        assert!(result.is_ok());
        assert_eq!(seen, [ENTERED, LEFT]);
    }
}

#[tokio::test]
async fn performed_effects_of_a_failed_message_are_audited() {
    let (result, seen) = audited(false, enter_and_fail).await;
    assert!(result.is_err());
    assert_eq!(seen, [ENTERED]);
    let (result, seen) = audited(true, enter_and_fail).await;
    assert!(result.is_err());
    assert!(seen.is_empty());
}

#[tokio::test]
async fn effects_that_the_hub_refuses_are_not_audited() {
    let limits = Arc::new(Limits::default().rooms(1));
    let (book, hub, client) = (Book::default(), Arc::new(LocalHub::new()), ClientId::random());
    let _mailbox = hub.connect(client, &ConnectOptions::new(limits.clone(), Form::BASE));
    let connection = Connection::new(
        client,
        Form::BASE,
        Arc::new(()),
        hub.clone(),
        Declared::default(),
        limits,
    );
    let stack = ServiceBuilder::new()
        .layer(AuditLayer::new(book.clone()))
        .layer(FanoutLayer::new())
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<()>::new())
        .service(handler_fn(async |cx: Cx| {
            cx.rooms().join("lobby")?;
            cx.rooms().join("one too many")
        }));
    stack.oneshot(message(&connection)).await.unwrap_err();
    assert_eq!(book.read(), [ENTERED]);
}

#[tokio::test]
async fn effects_of_a_child_task_after_the_answer_are_audited() {
    for atomic in [false, true] {
        let (book, connection) = (Book::default(), Connection::detached(()));
        let fanout = FanoutLayer::new();
        let (go, wait) = oneshot::channel::<()>();
        let (done, end) = oneshot::channel::<()>();
        let channels = Arc::new(Mutex::new(Some((wait, done))));
        let stack = ServiceBuilder::new()
            .layer(AuditLayer::new(book.clone()))
            .layer(if atomic { fanout.atomic() } else { fanout })
            .layer(ValidateLayer::<()>::ignoring())
            .layer(ContextLayer::<()>::new())
            .service(handler_fn(move |cx: Cx| {
                let (wait, done) = channels.lock().take().unwrap();
                async move {
                    tokio::spawn(async move {
                        wait.await.unwrap();
                        cx.rooms().join("lobby").unwrap();
                        done.send(()).unwrap();
                    });
                    Ok(())
                }
            }));
        stack.oneshot(message(&connection)).await.unwrap();
        assert!(book.read().is_empty());
        go.send(()).unwrap();
        end.await.unwrap();
        assert_eq!(book.read(), [ENTERED]);
    }
}

#[tokio::test]
async fn inner_layers_may_change_effects_under_atomic() {
    let (book, connection) = (Book::default(), Connection::detached(()));
    async fn veto(message: Message, next: Next) -> Result<Reply, BoxError> {
        let mut reply = next.run(message).await?;
        reply.effects.retain(|effect| matches!(effect, Effect::Leave(_)));
        Ok(reply)
    }
    let stack = ServiceBuilder::new()
        .layer(AuditLayer::new(book.clone()))
        .layer(FanoutLayer::new().atomic())
        .layer(from_fn(veto))
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<()>::new())
        .service(handler_fn(enter_and_leave));
    stack.oneshot(message(&connection)).await.unwrap();
    assert_eq!(book.read(), [LEFT]);
}

#[derive(Clone)]
struct Twice(bool);

impl Policy<Message, Reply, BoxError> for Twice {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut Message, result: &mut Result<Reply, BoxError>) -> Option<Self::Future> {
        let again = result.is_err() && self.0;
        self.0 = false;
        again.then(|| ready(()))
    }

    fn clone_request(&mut self, message: &Message) -> Option<Message> {
        Some(message.clone())
    }
}

#[tokio::test]
async fn only_the_winning_attempt_is_audited() {
    let (book, connection) = (Book::default(), Connection::detached(()));
    let tries = Arc::new(Mutex::new(0));
    let stack = ServiceBuilder::new()
        .layer(AuditLayer::new(book.clone()))
        .layer(FanoutLayer::new().atomic())
        .layer(RetryLayer::new(Twice(true)))
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<()>::new())
        .service(handler_fn(move |cx: Cx| {
            let tries = tries.clone();
            async move {
                cx.rooms().join("lobby")?;
                *tries.lock() += 1;
                match *tries.lock() {
                    1 => Err(Error::conflict("once more")),
                    _ => Ok(()),
                }
            }
        }));
    stack.oneshot(message(&connection)).await.unwrap();
    assert_eq!(book.read(), [ENTERED]);
}

#[tokio::test]
async fn two_audit_layers_both_see_every_effect() {
    let (outer, inner, connection) = (Book::default(), Book::default(), Connection::detached(()));
    let stack = ServiceBuilder::new()
        .layer(AuditLayer::new(outer.clone()))
        .layer(FanoutLayer::new())
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<()>::new())
        .layer(AuditLayer::new(inner.clone()))
        .service(handler_fn(enter_and_leave));
    stack.oneshot(message(&connection)).await.unwrap();
    assert_eq!(outer.read(), [ENTERED, LEFT]);
    assert_eq!(inner.read(), [ENTERED, LEFT]);
}

#[tokio::test]
async fn an_audited_hub_also_sees_effects_outside_messages_without_a_route() {
    let (book, limits, client) = (Book::default(), Arc::new(Limits::default()), ClientId::random());
    let hub = Arc::new(AuditHub::new(LocalHub::new(), book.clone()));
    let _mailbox = hub.connect(client, &ConnectOptions::new(limits.clone(), Form::BASE));
    let connection = Connection::new(
        client,
        Form::BASE,
        Arc::new(()),
        hub.clone(),
        Declared::default(),
        limits,
    );
    // A context of the connection without a message, as `on_open` has it.
    Context::of_connection(&connection, Arc::new(()))
        .rooms()
        .join("lobby")
        .unwrap();
    assert_eq!(book.read(), [r#"client - - Join("lobby")"#]);
    let stack = ServiceBuilder::new()
        .layer(FanoutLayer::new().atomic())
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<()>::new())
        .service(handler_fn(enter_and_leave));
    stack.oneshot(message(&connection)).await.unwrap();
    assert_eq!(
        book.read(),
        [r#"client - - Join("lobby")"#, r#"client - - Leave("lobby")"#]
    );
    // The audited hub behaves like the hub inside it.
    assert!(hub.rooms(&client).is_empty());
    assert_eq!(hub.inner().client_count(), 1);
}
