//! Failures of calls, for middleware: their outcome in logs and metrics, and the failures that permit a repetition.

use std::time::Duration;

use zocket_layers::{Code, service::CallFailure};

use super::{CallError, Sent};

impl CallError {
    /// Returns true if the server refused the call with this code: `error.is(Code::CONFLICT)`. For a code with data,
    /// [`data`](Self::data) tells it, too.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.refusal().is_some_and(|refusal| refusal.is(code))
    }

    /// Returns the code of the server's refusal, if the error is one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.refusal().map(|refusal| &*refusal.code)
    }

    /// Returns the delay after which the call may be repeated, or `None` if it should not be. Middleware such as tower's
    /// `retry` decides by it.
    ///
    /// | failure | delay |
    /// |---|---|
    /// | a time-out or a disconnection with [`Sent::No`] | zero |
    /// | the refusal OVERLOADED | zero |
    /// | the refusal TOO_MANY_REQUESTS | its [`retry_after`](super::ServerRefusal::retry_after) |
    /// | anything else | none: the server may have handled the call, or would refuse it again |
    ///
    /// OVERLOADED usually means that the handler has not begun. It can also mean that the hub refused an effect of the
    /// handler. The caller adds its own backoff to a delay of zero.
    #[must_use]
    pub fn repeat_after(&self) -> Option<Duration> {
        match self {
            Self::Timeout { sent: Sent::No } | Self::Disconnected { sent: Sent::No } => Some(Duration::ZERO),
            Self::Refused(refusal) if refusal.is(Code::OVERLOADED) => Some(Duration::ZERO),
            Self::Refused(refusal) if refusal.is(Code::TOO_MANY_REQUESTS) => refusal.retry_after,
            _ => None,
        }
    }
}

impl CallFailure for CallError {
    fn code(&self) -> Option<&str> {
        // The method of the type, which comes before that of the trait.
        Self::code(self)
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Timeout { .. } => "timeout",
            Self::Disconnected { .. } => "disconnected",
            Self::Closed => "closed",
            Self::TooLarge { .. } => "too_large",
            Self::Encode(_) => "encode",
            Self::Decode(_) => "decode",
        }
    }
}
