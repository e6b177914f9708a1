//! Panics of runs. They are reported once, with the faults that are left after shrinking, instead of at each run.

use std::{any::Any, cell::RefCell, panic, sync::Once};

thread_local! {
    /// The last panic of this thread, while a run is under way on it.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs a hook that keeps the panics of runs, and passes others on to the hook before it.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_run = PANIC.with_borrow_mut(|last| match last {
                Some(last) => {
                    *last = info.to_string();
                    true
                }
                None => false,
            });
            if !is_run {
                previous(info);
            }
        }));
    });
}

/// Runs something that may panic, without its output.
///
/// # Errors
/// The message of the panic, with its place.
pub(super) fn catch<T>(run: impl FnOnce() -> Result<T, Box<dyn Any + Send>>) -> Result<T, String> {
    install();
    PANIC.set(Some(String::new()));
    let result = run();
    let message = PANIC.take().unwrap_or_default();
    result.map_err(|_| message)
}
