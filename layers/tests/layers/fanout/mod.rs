//! The time at which effects are performed, in passing and in atomic mode, with failures, timeouts and retries.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

mod errors;
mod rooms;

use std::{
    future::{Ready, pending, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::oneshot, task::JoinHandle};
use tower::{
    BoxError, ServiceBuilder, ServiceExt,
    retry::{Policy, RetryLayer},
    util::BoxCloneSyncService,
};
use zocket_layers::{
    ClientId, Code, Connection, Context, ContextLayer, Declared, Effect, Error, FanoutLayer, Form, Hub,
    Limits, LocalHub, Mailbox, Message, Next, RawPayload, Reply, ValidateLayer, handler_fn,
    hub::ConnectOptions, middleware::from_fn,
};

use crate::support::{Said, notified, pull};

type Cx = Context<()>;
type Route = BoxCloneSyncService<Message, Reply, BoxError>;

struct World {
    hub: Arc<LocalHub>,
    mailbox: Arc<Mailbox>,
    connection: Connection,
    declared: Declared,
}

impl World {
    fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    fn with_limits(limits: Limits) -> Self {
        let (client, hub, declared) = (
            ClientId::random(),
            Arc::new(LocalHub::with_limits(&limits)),
            Declared::default(),
        );
        let limits = Arc::new(limits);
        let mailbox = hub.connect(client, &ConnectOptions::new(limits.clone(), Form::BASE));
        let connection = Connection::new(
            client,
            Form::BASE,
            Arc::new(()),
            hub.clone(),
            declared.clone(),
            limits,
        );
        Self {
            hub,
            mailbox,
            connection,
            declared,
        }
    }

    fn message(&self) -> Message {
        Message::new(self.connection.clone(), "route", RawPayload::absent())
    }

    fn has(&self, room: &str) -> bool {
        self.hub.has(&self.connection.client_id(), room)
    }
}

/// Returns the stack inside the fan-out, around a handler.
fn route<F, Fut>(handler: F) -> Route
where
    F: Fn(Cx) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Error>> + Send + 'static,
{
    let stack = ServiceBuilder::new()
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<()>::new())
        .service(handler_fn(handler));
    BoxCloneSyncService::new(stack)
}

fn say(cx: &Cx, number: u64) {
    cx.send(Said(number)).to([cx.client_id()]);
}

fn code(error: &BoxError) -> Code {
    error.downcast_ref::<Error>().unwrap().code()
}

/// Retry policy with three attempts.
#[derive(Clone)]
struct Thrice(usize);

impl Policy<Message, Reply, BoxError> for Thrice {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Message, result: &mut Result<Reply, BoxError>) -> Option<Ready<()>> {
        let again = result.is_err() && self.0 > 1;
        self.0 = self.0.saturating_sub(1);
        again.then(|| ready(()))
    }

    fn clone_request(&mut self, message: &Message) -> Option<Message> {
        Some(message.clone())
    }
}

/// Sends its attempt's number at each attempt, and succeeds at the third.
fn succeed_on_third_attempt() -> Route {
    let attempts = Arc::new(AtomicUsize::new(0));
    route(move |cx| {
        let attempt = attempts.fetch_add(1, Ordering::SeqCst) as u64 + 1;
        async move {
            say(&cx, attempt);
            if attempt == 3 {
                Ok(())
            } else {
                Err(Error::conflict("again"))
            }
        }
    })
}

type Late = Arc<Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>>;

/// Sends 1, spawns a task that sends 2 when it is released, and returns the given result.
fn with_late_child(late: &Late, succeed: bool) -> Route {
    let late = late.clone();
    route(move |cx| {
        let late = late.clone();
        async move {
            say(&cx, 1);
            let (let_go, wait) = oneshot::channel();
            let child = tokio::spawn(async move {
                wait.await.unwrap();
                say(&cx, 2);
            });
            *late.lock() = Some((let_go, child));
            if succeed {
                Ok(())
            } else {
                Err(Error::conflict("no"))
            }
        }
    })
}

async fn release_late_child(late: &Late) {
    let (let_go, child) = late.lock().take().unwrap();
    let_go.send(()).unwrap();
    child.await.unwrap();
}

#[tokio::test]
async fn passing_effects_are_performed_during_the_handler_and_atomic_ones_after_it() {
    let world = World::new();
    for (layer, expected) in [
        (FanoutLayer::new(), vec![1]),
        (FanoutLayer::new().atomic(), vec![]),
    ] {
        let (mailbox, seen) = (world.mailbox.clone(), Arc::new(Mutex::new(Vec::new())));
        let service = ServiceBuilder::new().layer(layer).service(route({
            let seen = seen.clone();
            move |cx| {
                say(&cx, 1);
                *seen.lock() = pull(&mailbox);
                ready(Ok(()))
            }
        }));
        let reply = service.oneshot(world.message()).await.unwrap();
        assert!(reply.effects.is_empty());
        assert_eq!(*seen.lock(), expected);
    }
    assert_eq!(pull(&world.mailbox), [1], "the atomic one's, at its end");
}

#[tokio::test]
async fn without_a_fan_out_the_reply_holds_its_effects() {
    let world = World::new();
    let service = route(async |cx: Cx| {
        cx.rooms().join("a")?;
        cx.rooms().leave("b");
        Ok(())
    });
    let reply = service.oneshot(world.message()).await.unwrap();
    assert_eq!(
        reply.effects,
        [Effect::Join("a".into()), Effect::Leave("b".into())]
    );
    assert!(!world.has("a"));
}

#[tokio::test]
async fn a_failed_messages_effects_are_dropped_if_atomic_and_kept_if_passing() {
    let world = World::new();
    for (layer, expected) in [
        (FanoutLayer::new(), vec![1]),
        (FanoutLayer::new().atomic(), vec![]),
    ] {
        let service = ServiceBuilder::new().layer(layer).service(route(async |cx: Cx| {
            say(&cx, 1);
            Err(Error::conflict("no"))
        }));
        let error = service.oneshot(world.message()).await.unwrap_err();
        assert_eq!((code(&error), pull(&world.mailbox)), (Code::CONFLICT, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_outside_or_inside_the_fan_out_drops_atomic_effects() {
    let world = World::new();
    let slow = route(async |cx: Cx| {
        say(&cx, 1);
        pending().await
    });
    let second = Duration::from_secs(1);
    let outside = ServiceBuilder::new()
        .timeout(second)
        .layer(FanoutLayer::new().atomic());
    let inside = ServiceBuilder::new()
        .layer(FanoutLayer::new().atomic())
        .timeout(second);
    assert!(
        outside
            .service(slow.clone())
            .oneshot(world.message())
            .await
            .is_err()
    );
    assert!(
        inside
            .service(slow.clone())
            .oneshot(world.message())
            .await
            .is_err()
    );
    assert!(pull(&world.mailbox).is_empty());
    let passing = ServiceBuilder::new().timeout(second).layer(FanoutLayer::new());
    assert!(passing.service(slow).oneshot(world.message()).await.is_err());
    assert_eq!(pull(&world.mailbox), [1]);
}

#[tokio::test]
async fn a_retry_inside_an_atomic_fan_out_performs_only_the_winners_effects() {
    let world = World::new();
    let service = ServiceBuilder::new()
        .layer(FanoutLayer::new().atomic())
        .layer(RetryLayer::new(Thrice(3)))
        .service(succeed_on_third_attempt());
    service.oneshot(world.message()).await.unwrap();
    assert_eq!(pull(&world.mailbox), [3]);
}

#[tokio::test]
async fn a_retry_outside_the_fan_out_settles_each_attempt_separately() {
    let world = World::new();
    for (layer, expected) in [
        (FanoutLayer::new(), vec![1, 2, 3]),
        (FanoutLayer::new().atomic(), vec![3]),
    ] {
        let service = ServiceBuilder::new()
            .layer(RetryLayer::new(Thrice(3)))
            .layer(layer)
            .service(succeed_on_third_attempt());
        service.oneshot(world.message()).await.unwrap();
        assert_eq!(pull(&world.mailbox), expected);
    }
}

#[tokio::test]
async fn a_lost_attempts_failed_send_does_not_fail_the_winner() {
    let world = World::new();
    world.declared.extend(["other"]);
    let attempts = Arc::new(AtomicUsize::new(0));
    let service = ServiceBuilder::new()
        .layer(FanoutLayer::new().atomic())
        .layer(RetryLayer::new(Thrice(3)))
        .service(route(move |cx| {
            let first = attempts.fetch_add(1, Ordering::SeqCst) == 0;
            if first {
                say(&cx, 1);
            }
            ready(if first {
                Err(Error::conflict("again"))
            } else {
                Ok(())
            })
        }));
    assert!(service.oneshot(world.message()).await.is_ok());
}

#[tokio::test]
async fn effects_of_surrounding_layers_keep_their_order() {
    async fn around(message: Message<(), Cx>, next: Next<(), Cx>) -> Result<Reply, BoxError> {
        let cx = message.context().clone();
        say(&cx, 1);
        let reply = next.run(message).await;
        say(&cx, 3);
        reply
    }
    let world = World::new();
    for layer in [FanoutLayer::new(), FanoutLayer::new().atomic()] {
        let service = ServiceBuilder::new()
            .layer(layer)
            .layer(ValidateLayer::<()>::ignoring())
            .layer(ContextLayer::<()>::new())
            .layer(from_fn(around))
            .service(handler_fn(async |cx: Cx| {
                say(&cx, 2);
                Ok(())
            }));
        service.oneshot(world.message()).await.unwrap();
        assert_eq!(pull(&world.mailbox), [1, 2, 3]);
    }
}

#[tokio::test]
async fn a_layer_inside_an_atomic_fan_out_can_veto_effects() {
    let world = World::new();
    let service = ServiceBuilder::new()
        .layer(FanoutLayer::new().atomic())
        .map_response(|mut reply: Reply| {
            reply.effects.retain(|effect| !matches!(effect, Effect::Join(_)));
            reply
        })
        .service(route(async |cx: Cx| {
            cx.rooms().join("a")?;
            say(&cx, 1);
            Ok(())
        }));
    service.oneshot(world.message()).await.unwrap();
    assert_eq!((world.has("a"), pull(&world.mailbox)), (false, vec![1]));
}

#[tokio::test]
async fn a_child_tasks_effects_after_success_are_performed() {
    let world = World::new();
    for layer in [FanoutLayer::new(), FanoutLayer::new().atomic()] {
        let late = Late::default();
        let service = ServiceBuilder::new()
            .layer(layer)
            .service(with_late_child(&late, true));
        service.oneshot(world.message()).await.unwrap();
        assert_eq!(pull(&world.mailbox), [1]);
        release_late_child(&late).await;
        notified(&world.mailbox).await;
        assert_eq!(pull(&world.mailbox), [2]);
    }
}

#[tokio::test]
async fn a_child_tasks_effects_after_failure_are_dropped_if_atomic_and_performed_if_passing() {
    let world = World::new();
    for (layer, expected) in [
        (FanoutLayer::new(), vec![1, 2]),
        (FanoutLayer::new().atomic(), vec![]),
    ] {
        let late = Late::default();
        let service = ServiceBuilder::new()
            .layer(layer)
            .service(with_late_child(&late, false));
        assert!(service.oneshot(world.message()).await.is_err());
        release_late_child(&late).await;
        assert_eq!(pull(&world.mailbox), expected);
    }
}
