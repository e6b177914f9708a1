//! The seeds of a simulation of several nodes, and the steps that a failure needs.

use std::{
    any::Any,
    cell::Cell,
    env, panic,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, Once,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use super::{
    run::run,
    settings::Settings,
    steps::{Step, steps},
};

/// Returns the number of seeds that the environment asks for, or this one.
pub fn count(default: u64) -> u64 {
    env::var("ZOCKET_SIM_SEEDS").map_or(default, |count| count.parse().unwrap())
}

/// Returns the seed that the environment asks for.
pub fn repeated() -> Option<u64> {
    env::var("ZOCKET_SIM").ok().map(|seed| seed.parse().unwrap())
}

/// Runs the seeds from 0, on all processors. `prepare` runs on each of their threads.
///
/// # Errors
/// The first seed that failed, with the steps that it needs.
pub fn run_all(count: u64, prepare: impl Fn() + Sync) -> Result<(), String> {
    let (next, failed) = (AtomicU64::new(0), Mutex::new(None));
    let work = || {
        prepare();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return;
            }
            if let Err(failure) = run_one(seed) {
                next.store(count, Ordering::Relaxed);
                *failed.lock().unwrap() = Some(failure);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    failed.into_inner().unwrap().map_or(Ok(()), Err)
}

/// Runs one seed.
///
/// # Errors
/// Its failure, with the steps that it needs.
pub fn run_one(seed: u64) -> Result<(), String> {
    let settings = Settings::of_seed(seed);
    let mut steps = steps(seed, &settings);
    let Err(mut message) = attempt(seed, settings, &steps) else {
        return Ok(());
    };
    // Delta debugging: Zeller, Hildebrandt: Simplifying and isolating failure-inducing input, 2002.
    let mut size = steps.len().div_ceil(2);
    while size > 0 {
        let (mut from, before) = (0, steps.len());
        while from < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(from..(from + size).min(steps.len()));
            match attempt(seed, settings, &fewer) {
                Err(other) => (steps, message) = (fewer, other),
                Ok(()) => from += size,
            }
        }
        if size > 1 || steps.len() == before {
            size /= 2;
        }
    }
    let steps: Vec<_> = steps
        .iter()
        .map(|step| format!("- {:?}, then {:?}\n", step.after, step.action))
        .collect();
    let message = format!(
        "seed {seed} failed. Repeat it with: ZOCKET_SIM={seed} cargo test --package zocket-simulator nodes_\n{message}\n\
         {settings:?}\nIts steps:\n{}",
        steps.concat()
    );
    Err(message)
}

fn attempt(seed: u64, settings: Settings, steps: &[Step]) -> Result<(), String> {
    install();
    IS_QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(|| run(seed, settings, steps)));
    IS_QUIET.set(false);
    result.map(drop).map_err(|panic| text(&*panic))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_default()
}

thread_local! {
    /// True while a run is under way on this thread. Each attempt of a failing seed panics, and its message is reported once.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Installs a hook that passes on the panics of other threads only.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                previous(info);
            }
        }));
    });
}
