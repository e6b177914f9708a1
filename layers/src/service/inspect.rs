use std::{
    any::{TypeId, type_name},
    cell::{Cell, RefCell},
};

use crate::protocol::Codec;

/// The stages of this crate that a stack contains, as far as cloning the stack reveals them.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    codec: Option<Codec>,
    contexts: Vec<(TypeId, &'static str)>,
}

impl Inspection {
    /// Returns the codec of the stack's [`DecodeLayer`](crate::DecodeLayer), or none without such a layer.
    #[must_use]
    pub const fn codec(&self) -> Option<Codec> {
        self.codec
    }

    /// Returns the name of the type of a [`ContextLayer`](crate::ContextLayer) that is not for `C`, if the stack has
    /// one.
    #[must_use]
    pub fn context_other_than<C: 'static>(&self) -> Option<&'static str> {
        self.contexts
            .iter()
            .find(|(id, _)| *id != TypeId::of::<C>())
            .map(|(_, name)| *name)
    }
}

thread_local! {
    /// Checked whenever a stage is cloned, which may be for every message. Reading a flag is cheaper than borrowing the
    /// inspection.
    static IS_INSPECTING: Cell<bool> = const { Cell::new(false) };
    static INSPECTION: RefCell<Inspection> = RefCell::default();
}

/// Ends an inspection even if a layer's `clone` panics.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        IS_INSPECTING.set(false);
    }
}

/// Finds the stages of this crate in a stack. Clones the stack, and each stage reports itself when it is cloned. This
/// works through layers of any crate, but not through a `tower::buffer::Buffer`, whose clones share one service.
pub fn inspect<S: Clone>(stack: &S) -> Inspection {
    INSPECTION.take();
    IS_INSPECTING.set(true);
    let guard = Guard;
    drop(stack.clone());
    drop(guard);
    INSPECTION.take()
}

/// Reports a [`DecodeLayer`](crate::DecodeLayer) with this codec to the current inspection, if there is one.
pub(crate) fn report_codec(codec: Codec) {
    if IS_INSPECTING.get() {
        INSPECTION.with_borrow_mut(|inspection| {
            inspection.codec.get_or_insert(codec);
        });
    }
}

/// Reports a [`ContextLayer`](crate::ContextLayer) for `C` to the current inspection, if there is one.
pub(crate) fn report_context<C: 'static>() {
    if IS_INSPECTING.get() {
        INSPECTION.with_borrow_mut(|inspection| {
            inspection.contexts.push((TypeId::of::<C>(), type_name::<C>()));
        });
    }
}
