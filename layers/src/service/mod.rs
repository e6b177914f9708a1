//! Composition of a stack: handlers, checks by the compiler, futures that stages share.

mod completed;
mod handler;
mod inspect;
mod observe;
mod refusable;
mod stack;

pub(crate) use self::inspect::{report_codec, report_context};
pub use self::{
    completed::polled_after_completion,
    handler::{Handler, HandlerFuture, HandlerService, handler_fn},
    inspect::{Inspection, inspect},
    observe::{Observe, ObservedFuture},
    refusable::RefusableFuture,
    stack::{IsContext, IsInput, IsOutcome, IsRaw, NoContextYet, stack},
};
