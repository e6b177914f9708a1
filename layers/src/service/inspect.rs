use std::{
    any::{TypeId, type_name},
    cell::{Cell, RefCell},
};

use crate::protocol::Codec;

/// The stages of ours that a stack contains, as far as they can be seen from outside.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    codec: Option<Codec>,
    contexts: Vec<(TypeId, &'static str)>,
}

impl Inspection {
    /// The codec of the stack's [`DecodeLayer`](crate::DecodeLayer); none if there is no such layer.
    #[must_use]
    pub const fn codec(&self) -> Option<Codec> {
        self.codec
    }

    /// The type of a [`ContextLayer`](crate::ContextLayer) in the stack that is not `C`, if there is one.
    #[must_use]
    pub fn context_other_than<C: 'static>(&self) -> Option<&'static str> {
        self.contexts
            .iter()
            .find(|(id, _)| *id != TypeId::of::<C>())
            .map(|(_, name)| *name)
    }
}

thread_local! {
    /// Read for every message: a flag costs less than the inspection.
    static IS_INSPECTING: Cell<bool> = const { Cell::new(false) };
    static INSPECTION: RefCell<Inspection> = RefCell::default();
}

/// Ends an inspection, also when a layer's `clone` panics.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        IS_INSPECTING.set(false);
    }
}

/// Looks for stages of ours in a stack. It clones the stack, and each stage reports itself when it is cloned: so it
/// sees through layers of any origin, but not into a `tower::buffer::Buffer`, whose clones share one service.
pub fn inspect<S: Clone>(stack: &S) -> Inspection {
    INSPECTION.take();
    IS_INSPECTING.set(true);
    let guard = Guard;
    drop(stack.clone());
    drop(guard);
    INSPECTION.take()
}

/// Reports a [`DecodeLayer`](crate::DecodeLayer) with this codec to the inspection that goes on.
pub(crate) fn report_codec(codec: Codec) {
    if IS_INSPECTING.get() {
        INSPECTION.with_borrow_mut(|inspection| {
            inspection.codec.get_or_insert(codec);
        });
    }
}

/// Reports a [`ContextLayer`](crate::ContextLayer) for `C` to the inspection that goes on.
pub(crate) fn report_context<C: 'static>() {
    if IS_INSPECTING.get() {
        INSPECTION.with_borrow_mut(|inspection| {
            inspection.contexts.push((TypeId::of::<C>(), type_name::<C>()));
        });
    }
}
