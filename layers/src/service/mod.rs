//! Composition of a stack: handlers, compile-time checks, futures that stages share.

pub(crate) mod completed;
mod handler;
pub(crate) mod inspect;
mod observe;
mod refusable;
mod stack;

pub(crate) use self::{
    completed::polled_after_completion,
    inspect::{report_codec, report_context},
};
pub use self::{
    handler::{Handler, HandlerFuture, HandlerService, handler_fn},
    observe::{Observe, ObservedFuture},
    refusable::RefusableFuture,
    stack::{IsContext, IsInput, IsOutcome, IsRaw, NoContextYet, ServedByClones, TakesPayload, stack},
};
