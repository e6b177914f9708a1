//! A run over real sockets, on a clock that is not paused, through a proxy that breaks connections.

mod plan;
mod proxy;

use std::{net::Ipv4Addr, time::Duration};

use futures_util::future::join_all;
use tokio::{
    net::TcpListener,
    runtime::Builder,
    time::{sleep, timeout},
};

use self::proxy::Proxy;
use super::{
    SimApp, SimClient,
    chance::Chance,
    failure::Failure,
    fault::Fault,
    run::{Functions, check_end, failure_or_totals},
    settings::Settings,
    totals::Totals,
    world::World,
};

/// Time within which the clients have to end, once the network does not break any more.
const END_WITHIN: Duration = Duration::from_secs(120);

impl<A, S> Functions<'_, A, S>
where
    A: Fn(&World) -> SimApp,
    S: AsyncFn(SimClient),
{
    /// Serves the app on loopback, and breaks the connections of its clients for this time.
    pub(super) fn soak(&self, seed: u64, settings: &Settings, time: Duration) -> Result<Totals, Failure> {
        let failed = |error: std::io::Error| Failure::other(error.to_string());
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        runtime.block_on(async {
            let settings = Settings {
                has_network: true,
                ..settings.clone()
            };
            let world = World::new(seed, settings, vec![Fault::SlowHandlers]);
            tokio::select! {
                biased;
                () = world.failed() => {}
                ended = self.soak_in(&world, time) => if let Err(failure) = ended {
                    world.fail(None, failure);
                },
            }
            failure_or_totals(&world)
        })
    }

    async fn soak_in(&self, world: &World, time: Duration) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::other(error.to_string());
        let app = (self.app)(world);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(failed)?;
        let server = listener.local_addr().map_err(failed)?;
        let served = app.test_app().clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                served.serve(stream);
            }
        });
        let chance = Chance::new(world.seed(), 3);
        let proxy = Proxy::start(server, chance, world.clone())
            .await
            .map_err(failed)?;
        world.set_addr(proxy.addr);
        let clients: Vec<_> = (0..world.settings().clients)
            .map(|index| SimClient::new(index, world))
            .collect();
        let runs = clients.iter().map(|client| self.run_client(client, world));
        let calming = async {
            sleep(time).await;
            proxy.calm();
        };
        let all = async { tokio::join!(join_all(runs), calming) };
        if timeout(time + END_WITHIN, all).await.is_err() {
            return Err(Failure::other(format!(
                "expected the clients to end within {END_WITHIN:?} after the last break"
            )));
        }
        accepting.abort();
        check_end(app, world).await
    }
}
