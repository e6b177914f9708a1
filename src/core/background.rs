use parking_lot::Mutex;
use tokio::{
    runtime::{Handle, Id},
    task::AbortHandle,
};
use zocket_layers::Hub;

/// Limit for the background futures on one runtime. A thread that a task blocks may hold one of them: that of the tasks
/// that it has woken last, which tokio keeps for it. So with one future for each thread, another thread always has one.
/// Each costs a poll whenever a large room is notified.
const MAX_FUTURES: usize = 4;

/// The hub's background futures, which run on each runtime that has connections of the app. A runtime may end, or
/// stand still, while the app lives on in another. The futures end with the app, since the hub may outlive it.
#[derive(Default)]
pub(crate) struct Background(Mutex<Vec<Run>>);

/// The futures on one runtime.
struct Run {
    runtime: Id,
    /// Empty if the hub has no such work.
    tasks: Vec<AbortHandle>,
}

impl Background {
    /// Spawns the futures, unless they were spawned on the current runtime before.
    pub(crate) fn start(&self, hub: &dyn Hub) {
        let runtime = Handle::current();
        let mut runs = self.0.lock();
        if runs.iter().any(|run| run.runtime == runtime.id()) {
            return;
        }
        // Those of runtimes that have ended.
        runs.retain(|run| !run.tasks.iter().all(AbortHandle::is_finished));
        let count = runtime.metrics().num_workers().min(MAX_FUTURES);
        let futures = (0..count).filter_map(|_| hub.background());
        runs.push(Run {
            runtime: runtime.id(),
            tasks: futures
                .map(|future| runtime.spawn(future).abort_handle())
                .collect(),
        });
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        for task in self.0.get_mut().iter().flat_map(|run| &run.tasks) {
            task.abort();
        }
    }
}
