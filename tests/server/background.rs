//! The hub's work in the background: bound to the runtime of the connections, and gone with the app.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::sync::Arc;

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
