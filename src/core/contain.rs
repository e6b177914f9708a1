//! Calls and drops of the app's values, whose code may panic.

use zocket_layers::internal::caught;

/// Calls code of the app. A panic is logged, and ends nothing but the call.
pub(crate) fn contained(action: &'static str, call: impl FnOnce()) {
    if let Err(panic) = caught(call) {
        tracing::error!(action, %panic, "the app's code panicked");
    }
}

/// Drops a value of the app.
pub(crate) fn drop_contained<T>(value: T) {
    contained("drop of a value", || drop(value));
}
