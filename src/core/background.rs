use parking_lot::Mutex;
use tokio::{
    runtime::{Handle, Id},
    task::AbortHandle,
};
use zocket_layers::Hub;

/// The hub's background future, which runs once on each runtime that has connections of the app. A runtime may end, or
/// stand still, while the app lives on in another. The futures end with the app, since the hub may outlive it.
#[derive(Default)]
pub(crate) struct Background(Mutex<Vec<Run>>);

/// The future on one runtime.
struct Run {
    runtime: Id,
    /// None if the hub has no such work.
    task: Option<AbortHandle>,
}

impl Background {
    /// Spawns the future, unless it was spawned on the current runtime before.
    pub(crate) fn start(&self, hub: &dyn Hub) {
        let runtime = Handle::current();
        let mut runs = self.0.lock();
        if runs.iter().any(|run| run.runtime == runtime.id()) {
            return;
        }
        // Those of runtimes that have ended.
        runs.retain(|run| !run.task.as_ref().is_none_or(AbortHandle::is_finished));
        let task = hub
            .background()
            .map(|background| runtime.spawn(background).abort_handle());
        runs.push(Run {
            runtime: runtime.id(),
            task,
        });
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        for task in self.0.get_mut().iter().filter_map(|run| run.task.as_ref()) {
            task.abort();
        }
    }
}
