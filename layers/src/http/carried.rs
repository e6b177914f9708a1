//! Data of a message that passes through an HTTP layer in extensions.

use std::{fmt, sync::Arc};

use http::StatusCode;
use parking_lot::Mutex;
use tower::BoxError;

use crate::{
    message::{Parts, Reply},
    protocol::RawPayload,
};

/// Parts of a message that the request does not hold. A clone is for another attempt, and has its own effects.
#[derive(Debug)]
pub(super) struct Carried {
    /// Their extensions are empty: the request has them.
    pub(super) parts: Parts,
    pub(super) payload: RawPayload,
}

impl Clone for Carried {
    fn clone(&self) -> Self {
        Self {
            parts: self.parts.fork(),
            payload: self.payload.clone(),
        }
    }
}

/// Result of a message, in the extensions of a response. Clones share it, and it can be taken once.
#[derive(Clone)]
pub(super) struct CarriedResult {
    /// Status that the response was made with. A layer may have changed it since.
    pub(super) status: StatusCode,
    result: Arc<Mutex<Option<Result<Reply, BoxError>>>>,
}

impl CarriedResult {
    pub(super) fn new(status: StatusCode, result: Result<Reply, BoxError>) -> Self {
        Self {
            status,
            result: Arc::new(Mutex::new(Some(result))),
        }
    }

    /// Takes the result. Returns none after the first call.
    pub(super) fn take(&self) -> Option<Result<Reply, BoxError>> {
        self.result.lock().take()
    }
}

impl fmt::Debug for CarriedResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CarriedResult")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
