//! One run of a simulation.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    runtime::Builder,
    time::{Instant, sleep, timeout},
};

use super::{
    SimApp,
    client::{SimClient, drive},
    failure::Failure,
    fault::Fault,
    quiet,
    settings::Settings,
    totals::Totals,
    world::World,
};
use crate::core::Shutdown;

/// Time of the paused clock within which a run has to end.
const RUN_WITHIN: Duration = Duration::from_secs(3_600);
/// Time within which every connection has to end after the last client has gone.
const GONE_WITHIN: Duration = Duration::from_secs(300);
/// Tolerance of a shutdown's grace period: timers have milliseconds.
const TIMER: Duration = Duration::from_millis(2);

/// The functions of a simulation's author.
pub(super) struct Functions<'a, A, S> {
    pub(super) app: &'a A,
    pub(super) script: &'a S,
}

impl<A, S> Functions<'_, A, S>
where
    A: Fn(&World) -> SimApp,
    S: AsyncFn(SimClient),
{
    /// Runs a seed with these faults, on a runtime of its own whose clock is paused.
    pub(super) fn run(&self, seed: u64, settings: &Settings, faults: &[Fault]) -> Result<Totals, Failure> {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        let runtime = runtime.map_err(|error| Failure::other(error.to_string()))?;
        let run = || {
            runtime.block_on(async {
                let world = World::new(seed, settings.clone(), faults.to_vec());
                tokio::select! {
                    biased;
                    () = world.failed() => {}
                    ended = timeout(RUN_WITHIN, self.run_in(&world)) => match ended {
                        Ok(Ok(())) => {}
                        Ok(Err(failure)) => world.fail(None, failure),
                        Err(_) => world.fail(None, Failure::other("expected an end, got none".to_owned())),
                    },
                }
                failure_or_totals(&world)
            })
        };
        let ended = quiet::catch(|| catch_unwind(AssertUnwindSafe(run)));
        ended.unwrap_or_else(|panic| Err(Failure::other(panic)))
    }

    async fn run_in(&self, world: &World) -> Result<(), Failure> {
        let app = (self.app)(world);
        world.set_app(app.test_app().clone());
        let clients: Vec<_> = (0..world.settings().clients)
            .map(|index| SimClient::new(index, world))
            .collect();
        let runs = clients.iter().map(|client| self.run_client(client, world));
        tokio::select! {
            biased;
            _ = join_all(runs) => {}
            failure = shut_down(&app, world) => return Err(failure),
        }
        check_end(app, world).await
    }

    /// Runs the script of a client, then ends the client: in half of the cases after everything has arrived.
    pub(super) async fn run_client(&self, client: &SimClient, world: &World) {
        let driver = tokio::spawn(drive(client.clone(), world.clone()));
        (self.script)(client.clone()).await;
        let chance = world.chance_of_driver(client.index());
        let (settles, at_once) = (chance.one_in(2), chance.one_in(2));
        if settles {
            client.settle().await;
        }
        client.close(at_once);
        if let Err(error) = driver.await {
            world.fail(Some(client.index()), Failure::other(error.to_string()));
        }
        client.report();
    }
}

/// Returns the result of a run that has ended.
pub(super) fn failure_or_totals(world: &World) -> Result<Totals, Failure> {
    match world.failure() {
        Some(failure) => Err(failure),
        None => Ok(world.totals()),
    }
}

/// Checks that nothing is left in an app whose clients have gone.
pub(super) async fn check_end(app: SimApp, world: &World) -> Result<(), Failure> {
    let has_gone = World::wait(GONE_WITHIN, || app.connections() == 0).await;
    if !has_gone {
        return Err(Failure::other(format!(
            "{} connections are left {GONE_WITHIN:?} after the last client has gone",
            app.connections()
        )));
    }
    if app.has_sessions() {
        let message = "sessions are left after the last connection has ended".to_owned();
        return Err(Failure::other(message));
    }
    world.check_hub().await?;
    app.check();
    world.count(|totals| totals.seeds += 1);
    Ok(())
}

/// Shuts the app down, if the run has such a fault. Returns only if it took too long.
async fn shut_down(app: &SimApp, world: &World) -> Failure {
    let Some((after, grace, restarts)) = world.shutdown() else {
        return std::future::pending().await;
    };
    sleep(after).await;
    world.begin_shutdown();
    world.count(|totals| totals.shutdowns += 1);
    let shutdown = Shutdown::within(grace);
    let began = Instant::now();
    app.shut_down(if restarts { shutdown.restart() } else { shutdown })
        .await;
    let took = began.elapsed();
    if took > grace + TIMER {
        return Failure::other(format!(
            "expected a shutdown to end within its grace period of {grace:?}, got {took:?}"
        ));
    }
    std::future::pending().await
}
