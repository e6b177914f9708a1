//! Calls of a client, for layers that observe them.

use std::{error::Error, iter::successors};

use crate::rescue::Cause;

/// The error of a client's calls, for [`TraceLayer::calls`](crate::TraceLayer::calls) and `MetricsLayer::calls`. These
/// find it among an error's sources, since middleware such as tower's `timeout` boxes the error.
pub trait CallFailure: Error + 'static {
    /// Returns the code of the server's refusal, if the failure is one.
    fn code(&self) -> Option<&str>;

    /// Returns the kind of the failure, one of a fixed set of words: `refused`, `timeout`, `disconnected`.
    fn kind(&self) -> &'static str;
}

/// The failure of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FailedCall<'a> {
    /// Refused with a code. Its text is the server's.
    Refused(&'a str),
    /// Failed in another way, named by a word of a fixed set.
    Otherwise(&'static str),
}

/// A [`find_failure`] for one type of error.
pub(crate) type FindFailure = for<'a> fn(&'a (dyn Error + 'static)) -> FailedCall<'a>;

/// Finds an `E` among the error's sources. Without one, the failure is that of a middleware.
pub(crate) fn find_failure<'a, E: CallFailure>(error: &'a (dyn Error + 'static)) -> FailedCall<'a> {
    let mut sources = successors(Some(error), |current| (*current).source());
    if let Some(failure) = sources.find_map(|current| current.downcast_ref::<E>()) {
        let kind = FailedCall::Otherwise(failure.kind());
        return failure.code().map_or(kind, FailedCall::Refused);
    }
    match Cause::of(error) {
        Cause::Refusal(refusal) => FailedCall::Refused(refusal.code().as_str()),
        Cause::Elapsed => FailedCall::Otherwise("timeout"),
        Cause::Overloaded => FailedCall::Otherwise("shed"),
        Cause::Stopped => FailedCall::Otherwise("closed"),
        Cause::Unknown => FailedCall::Otherwise("failed"),
    }
}
