//! Servers of the app, one per vector.

use std::{future::Future, pin::Pin, time::Duration};

use tower::{
    layer::{layer_fn, util::Identity},
    limit::GlobalConcurrencyLimitLayer,
};
use zocket::{Builder, Limits, RouterService, Zocket};

use crate::{
    app::{User, World, connect, left, open},
    common::{self, Server, serve},
    format::App,
    routes::router,
};

type Stopping = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A running server with its app.
pub struct Site {
    pub server: Server,
    stop: Box<dyn Fn() -> Stopping>,
}

impl Site {
    pub async fn new(app: App) -> Self {
        let world = World::default();
        let limits = Limits::default().message(4_096).room_backlog(16_384);
        let zo = |limits| builder(&world, limits);
        match app {
            App::Reference => start(zo(limits).build(), &world).await,
            App::Concurrent => start(zo(limits).concurrency(2).build(), &world).await,
            App::Stalling => {
                let stall = Duration::from_millis(250);
                let one = GlobalConcurrencyLimitLayer::new(1);
                start(zo(limits.stall(stall)).layer(one).build(), &world).await
            }
            App::Stopping => {
                let around = world.clone();
                let buffer = layer_fn(move |router: RouterService| around.buffered(router));
                start(zo(limits).layer(buffer).build(), &world).await
            }
            App::Slender => {
                let limits = limits.message(1 << 16).outbound(1 << 16);
                start(zo(limits).build(), &world).await
            }
            App::Narrow => start(zo(limits.queued(2)).build(), &world).await,
            App::Pinging => {
                // A long wait for the pong, as a loaded machine delays the client.
                let (ping_after, pong_within) = (Duration::from_millis(250), Duration::from_secs(2));
                let limits = limits.ping_after(ping_after).pong_within(pong_within);
                start(zo(limits).build(), &world).await
            }
        }
    }

    /// Begins to shut down, without waiting for the end.
    pub fn shut_down(&self) {
        tokio::spawn((self.stop)());
    }
}

fn builder(world: &World, limits: Limits) -> Builder<User, Identity> {
    Zocket::builder()
        .any_origin()
        .on_connect_with(world.clone(), connect)
        .on_open(open)
        .on_disconnect(left)
        .limits(limits)
}

async fn start(zo: Zocket<User>, world: &World) -> Site {
    let server = serve(zo.serve(router(&zo, world))).await;
    let stop = move || -> Stopping {
        let zo = zo.clone();
        Box::pin(async move {
            zo.shutdown(common::PATIENCE).await;
        })
    };
    Site {
        server,
        stop: Box::new(stop),
    }
}
