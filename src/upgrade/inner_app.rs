//! Search for the app inside of a service, by layers that refuse handshakes before the app receives them.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use super::service::Accept;

thread_local! {
    /// Checked whenever an upgrade service is cloned, which is for every request. Reading a flag is cheaper than borrowing
    /// the result.
    static IS_SEARCHING: Cell<bool> = const { Cell::new(false) };
    static FOUND: RefCell<Option<Arc<dyn Accept>>> = const { RefCell::new(None) };
}

/// Ends a search even if a layer's `clone` panics.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        IS_SEARCHING.set(false);
    }
}

/// Clones a service. Returns the clone, and the app that the service contains. An app's upgrade service reports itself
/// when it is cloned. This works through layers of any crate, but not through a `tower::buffer::Buffer` or a router, whose
/// clones share their services. Of several apps, the first is returned.
pub(super) fn clone_and_find_app<S: Clone>(service: &S) -> (S, Option<Arc<dyn Accept>>) {
    FOUND.take();
    IS_SEARCHING.set(true);
    let guard = Guard;
    let clone = service.clone();
    drop(guard);
    (clone, FOUND.take())
}

/// Reports an app to the current search, if there is one.
pub(super) fn report(app: &Arc<dyn Accept>) {
    if IS_SEARCHING.get() {
        FOUND.with_borrow_mut(|found| {
            found.get_or_insert_with(|| app.clone());
        });
    }
}
