use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Poll, Wake, Waker},
};

use parking_lot::Mutex;
use tokio::{
    runtime::{Handle, Id, RuntimeFlavor},
    sync::Notify,
    task::AbortHandle,
};
use zocket_layers::{Hub, hub::BoxFuture};

/// The hub's background future, which runs once on each runtime that has connections of the app. A runtime may end, or
/// stand still, while the app lives on in another. The futures end with the app, since the hub may outlive it.
#[derive(Default)]
pub(crate) struct Background(Mutex<Vec<Run>>);

/// The future on one runtime.
struct Run {
    runtime: Id,
    tasks: Vec<AbortHandle>,
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
        runs.retain(|run| !run.tasks.iter().all(AbortHandle::is_finished));
        runs.push(Run {
            runtime: runtime.id(),
            tasks: hub
                .background()
                .map_or_else(Vec::new, |background| spawn(&runtime, background)),
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

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}

fn spawn(runtime: &Handle, background: BoxFuture<'static, ()>) -> Vec<AbortHandle> {
    if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
        return vec![runtime.spawn(background).abort_handle()];
    }
    let displacer = Arc::new(Notify::new());
    let displacing = {
        let displacer = displacer.clone();
        async move {
            loop {
                displacer.notified().await;
            }
        }
    };
    vec![
        runtime.spawn(stealable(background, displacer)).abort_handle(),
        runtime.spawn(displacing).abort_handle(),
    ]
}

/// Makes sure that other threads can run the future at once. tokio keeps the task that a thread has woken last for that
/// thread, and no other thread takes it. If a handler sends and then blocks its thread, that may be this task, and no
/// other connection would be notified meanwhile. Waking another task displaces it.
async fn stealable(mut background: BoxFuture<'static, ()>, displacer: Arc<Notify>) {
    let mut cached: Option<(Waker, Waker)> = None;
    poll_fn(|cx| {
        let waker = match &cached {
            Some((task, waker)) if task.will_wake(cx.waker()) => waker,
            _ => {
                let (task, displacer) = (cx.waker().clone(), displacer.clone());
                let waker = Waker::from(Arc::new(Displacing { task, displacer }));
                &cached.insert((cx.waker().clone(), waker)).1
            }
        };
        let poll: Poll<()> = Pin::new(&mut background).poll(&mut std::task::Context::from_waker(waker));
        poll
    })
    .await;
}

/// Wakes a task, then another one.
struct Displacing {
    task: Waker,
    displacer: Arc<Notify>,
}

impl Wake for Displacing {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.task.wake_by_ref();
        self.displacer.notify_one();
    }
}
