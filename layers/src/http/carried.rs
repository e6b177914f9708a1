//! What an HTTP layer does not know, and carries past itself in extensions.

use std::{fmt, sync::Arc};

use http::StatusCode;
use parking_lot::Mutex;
use tower::BoxError;

use crate::{
    message::{Parts, Reply},
    protocol::RawPayload,
};

/// What of a message is not in the request. A clone is one more attempt's, with effects of its own.
#[derive(Debug)]
pub(super) struct Carried {
    /// Without the extensions: they are the request's.
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

/// What a message has come to, on its way back in a response. Clones are of the same.
#[derive(Clone)]
pub(super) struct Outcome {
    /// What the response was sent with.
    pub(super) status: StatusCode,
    told: Arc<Mutex<Option<Result<Reply, BoxError>>>>,
}

impl Outcome {
    pub(super) fn new(status: StatusCode, told: Result<Reply, BoxError>) -> Self {
        Self {
            status,
            told: Arc::new(Mutex::new(Some(told))),
        }
    }

    /// Takes it, once.
    pub(super) fn take(&self) -> Option<Result<Reply, BoxError>> {
        self.told.lock().take()
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
