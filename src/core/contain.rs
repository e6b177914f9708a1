//! Drops of the app's values, whose code may panic.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Calls code of the app. A panic is logged, and ends nothing but the call.
pub(crate) fn contained(action: &'static str, call: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
        tracing::error!(action, "the app's code panicked");
        // The drop of a panic's payload may panic again.
        mem::forget(panic);
    }
}

/// Drops a value of the app.
pub(crate) fn drop_contained<T>(value: T) {
    contained("drop of a value", || drop(value));
}
