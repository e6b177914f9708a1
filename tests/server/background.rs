//! The hub's work in the background: bound to the runtime of the connections, and gone with the app.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::sync::{Arc, mpsc};

use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::{Builder, Handle, Runtime};
use zocket::{ClientId, Context, Error, Hub, NoHeaders, Outgoing, UpgradeService, Zocket, layers::LocalHub};

use crate::common::{PATIENCE, Server, serve, until};

/// More members than the sender notifies itself.
const MEMBERS: usize = 20;

#[derive(Clone, Serialize, JsonSchema)]
struct Said(u32);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

type Cx = Context<Arc<Gate>>;

/// A handler that has sent blocks its thread until the test lets it go on.
#[derive(Default)]
struct Gate(parking_lot::Mutex<Option<mpsc::Receiver<()>>>);

fn app(hub: Option<Arc<dyn Hub>>, gate: Arc<Gate>) -> (Zocket<Arc<Gate>>, UpgradeService) {
    let builder =
        Zocket::builder().on_connect_with(gate, async |gate: Arc<Gate>, _: NoHeaders, _: ClientId| Ok(gate));
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
        )
        .incoming(
            "block",
            zo.message().handle(async |cx: Cx| -> Result<(), Error> {
                cx.send(Said(1)).to_room("big");
                let gate = cx.0.lock().take().unwrap();
                gate.recv_timeout(2 * PATIENCE).map_err(Error::internal)
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
    let (_zo, service) = app(None, Arc::default());
    for _ in 0..3 {
        runtime().block_on(all_members_hear(&service));
    }
}

#[test]
fn an_app_continues_on_a_second_runtime_while_the_first_stands_still() {
    let (_zo, service) = app(None, Arc::default());
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
        let (first, second) = (
            app(Some(hub.clone()), Arc::default()),
            app(Some(hub), Arc::default()),
        );
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
            let apps = [(); 3].map(|()| app(Some(hub.clone()), Arc::default()));
            for (_, service) in &apps {
                all_members_hear(service).await;
            }
            drop(apps);
            until(|| tasks() == before).await;
        }
        let apps = [(); 2].map(|()| app(Some(Arc::new(LocalHub::new())), Arc::default()));
        for (_, service) in &apps {
            all_members_hear(service).await;
        }
        drop(apps);
        until(|| tasks() == before).await;
        drop(hub);
    });
}

#[test]
fn members_hear_an_event_while_its_handler_blocks_a_thread() {
    runtime().block_on(async {
        let gate = Arc::new(Gate::default());
        let (_zo, service) = app(None, gate.clone());
        let server = serve(service).await;
        let mut members = crowd(&server).await;
        for _ in 0..20 {
            let (open, gated) = mpsc::channel();
            *gate.0.lock() = Some(gated);
            let id = members[0].begin("block", Value::Null).await;
            // The sender's own connection is stuck.
            for member in &mut members[1..] {
                assert_eq!(member.event("said").await, 1);
            }
            open.send(()).unwrap();
            members[0].answer(&id).await.unwrap();
        }
    });
}
