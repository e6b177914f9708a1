//! Composition of a stack: handlers, compile-time checks, futures that stages share.

mod call;
pub(crate) mod completed;
mod handler;
pub(crate) mod inspect;
mod observe;
mod refusable;
mod stack;

pub use self::{
    call::CallFailure,
    handler::{Handler, HandlerFuture, HandlerService, handler_fn},
    observe::{Judge, Judged, Observe, ObservedFuture},
    refusable::RefusableFuture,
    stack::{IsContext, IsInput, IsOutcome, IsRaw, NoContextYet, ServedByClones, TakesPayload, stack},
};
pub(crate) use self::{
    call::{FailedCall, FindFailure, find_failure},
    completed::polled_after_completion,
    inspect::{report_codec, report_context},
    observe::judge_message,
};
