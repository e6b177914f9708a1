//! The hub's work in the background: bound to the runtime of the connections, gone with the app, and not held by a
//! thread that a handler blocks.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::{Builder, Handle, Runtime};
use zocket::{Context, Error, Hub, Outgoing, UpgradeService, Zocket, layers::LocalHub};

use crate::common::{Server, serve, until};

/// More members than the sender notifies itself.
const MEMBERS: usize = 20;

#[derive(Clone, Serialize, JsonSchema)]
struct Said(u32);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

type Cx = Context<()>;

/// Handlers that have sent, and then block their threads until the members have heard.
#[derive(Default)]
struct Blocked {
    count: AtomicUsize,
    heard: std::sync::Mutex<bool>,
    changed: std::sync::Condvar,
}

impl Blocked {
    /// Blocks the thread until [`release`](Self::release), for half a minute at most.
    fn block(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        let heard = self.heard.lock().unwrap();
        let limit = Duration::from_secs(30);
        drop(self.changed.wait_timeout_while(heard, limit, |heard| !*heard));
    }

    fn release(&self) {
        *self.heard.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

fn app(hub: Option<Arc<dyn Hub>>) -> (Zocket, UpgradeService) {
    let builder = Zocket::builder();
    let zo = match hub {
        Some(hub) => builder.hub(hub).build(),
        None => builder.build(),
    };
    let router = zo
        .router()
        .outgoing::<Said>()
        .incoming("join", zo.message().handle(async |cx: Cx| cx.rooms().join("big")))
        .incoming(
            "send",
            zo.message().handle(async |cx: Cx| -> Result<(), Error> {
                cx.send(Said(1)).to_room("big");
                Ok(())
            }),
        );
    let service = zo.serve(router);
    (zo, service)
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Connects members, and lets one of them send. All of them hear it.
async fn all_members_hear(service: &UpgradeService) {
    let server = serve(service.clone()).await;
    let mut members = crowd(&server).await;
    members[0].call("send", Value::Null).await.unwrap();
    for member in &mut members {
        assert_eq!(member.event("said").await, 1);
    }
    for member in members {
        member.close().await;
    }
}

async fn crowd(server: &Server) -> Vec<crate::common::Client> {
    join_all((0..MEMBERS).map(async |_| {
        let mut client = server.connect("").await;
        client.call("join", Value::Null).await.unwrap();
        client
    }))
    .await
}

#[test]
fn an_app_continues_on_a_second_runtime_after_the_first_has_ended() {
    let (_zo, service) = app(None);
    for _ in 0..3 {
        runtime().block_on(all_members_hear(&service));
    }
}

#[test]
fn an_app_continues_on_a_second_runtime_while_the_first_stands_still() {
    let (_zo, service) = app(None);
    // It only runs within `block_on`.
    let first = Builder::new_current_thread().enable_all().build().unwrap();
    first.block_on(all_members_hear(&service));
    for _ in 0..2 {
        runtime().block_on(all_members_hear(&service));
    }
    first.block_on(all_members_hear(&service));
}

#[test]
fn an_app_continues_after_another_on_the_same_hub_has_gone() {
    runtime().block_on(async {
        let hub: Arc<dyn Hub> = Arc::new(LocalHub::new());
        let (first, second) = (app(Some(hub.clone())), app(Some(hub)));
        all_members_hear(&first.1).await;
        all_members_hear(&second.1).await;
        drop(first);
        all_members_hear(&second.1).await;
    });
}

#[test]
fn no_task_is_left_of_apps_that_have_gone() {
    runtime().block_on(async {
        let hub: Arc<dyn Hub> = Arc::new(LocalHub::new());
        let before = Handle::current().metrics().num_alive_tasks();
        let tasks = || Handle::current().metrics().num_alive_tasks();
        for _ in 0..2 {
            let apps = [(); 3].map(|()| app(Some(hub.clone())));
            for (_, service) in &apps {
                all_members_hear(service).await;
            }
            drop(apps);
            until(|| tasks() == before).await;
        }
        let apps = [(); 2].map(|()| app(Some(Arc::new(LocalHub::new()))));
        for (_, service) in &apps {
            all_members_hear(service).await;
        }
        drop(apps);
        until(|| tasks() == before).await;
        drop(hub);
    });
}

#[test]
fn handlers_that_send_and_then_block_their_threads_delay_no_member() {
    const WORKERS: usize = 4;
    let blocked = Arc::new(Blocked::default());
    let zo = Zocket::builder().build();
    let handler = blocked.clone();
    let router = zo
        .router()
        .outgoing::<Said>()
        .incoming("join", zo.message().handle(async |cx: Cx| cx.rooms().join("big")))
        .incoming(
            "send",
            zo.message().handle(move |cx: Cx| {
                let blocked = handler.clone();
                async move {
                    cx.send(Said(1)).to_room("big");
                    blocked.block();
                    Ok(())
                }
            }),
        );
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = serve(zo.serve(router)).await;
        let mut members = crowd(&server).await;
        let mut senders = Vec::new();
        // All workers but one are blocked at last.
        for count in 1..WORKERS {
            let mut sender = server.connect("").await;
            sender.begin("send", Value::Null).await;
            senders.push(sender);
            for member in &mut members {
                assert_eq!(member.event("said").await, 1);
            }
            assert_eq!(blocked.count.load(Ordering::SeqCst), count);
        }
        blocked.release();
    });
}
