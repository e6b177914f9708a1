//! From what went wrong to what the client is told.

use std::{any::Any, error::Error as StdError, fmt};

use tower::{
    BoxError,
    buffer::error::{Closed, ServiceError},
    load_shed::error::Overloaded,
    timeout::error::Elapsed,
};
use uuid::Uuid;

use crate::{Code, Error};

/// Says what the client is told of an error: our own as it is; tower's `Elapsed` as TIMEOUT; `Overloaded`, and a
/// buffer that is closed or whose service has failed, as OVERLOADED; anything else as INTERNAL_SERVER_ERROR with
/// nothing but an id, under which the log has the rest.
#[must_use]
pub fn explain(error: BoxError) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(own) => return conceal(*own),
        Err(other) => other,
    };
    let mut stopped = false;
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&*error);
    while let Some(current) = cause {
        if let Some(own) = current.downcast_ref::<Error>() {
            if own.code() == Code::INTERNAL_SERVER_ERROR {
                // What stands behind it is not the client's business.
                break;
            }
            let own = own.retell();
            return own.with_source(error);
        }
        if current.is::<Elapsed>() {
            return Error::new(Code::TIMEOUT, "the message took too long").with_source(error);
        }
        if current.is::<Overloaded>() {
            return Error::new(Code::OVERLOADED, "too much is going on; try again later").with_source(error);
        }
        // A buffer's service is asked for its own reason first.
        stopped |= current.is::<Closed>() || current.is::<ServiceError>();
        cause = current.source();
    }
    if stopped {
        return Error::new(Code::OVERLOADED, "this part of the server has stopped").with_source(error);
    }
    conceal(Error::internal(error))
}

/// Says what the client is told of a panic.
pub(super) fn explain_panic(payload: &(dyn Any + Send)) -> Error {
    explain(Box::new(Panic::new(payload)))
}

/// Keeps the detail of an internal error from the client: it goes to the log, under an id that stands in both.
fn conceal(error: Error) -> Error {
    if error.code() != Code::INTERNAL_SERVER_ERROR {
        return error;
    }
    let id = Uuid::new_v4();
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let detail = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    tracing::error!(%id, message = error.message(), detail, "internal error");
    Error::new(Code::INTERNAL_SERVER_ERROR, format!("internal error {id}"))
}

/// A caught panic.
#[derive(Debug)]
struct Panic(String);

impl Panic {
    fn new(payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Self(message.unwrap_or_else(|| "a value that is no text".to_owned()))
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.0)
    }
}

impl StdError for Panic {}
