//! Maps errors and panics to the refusals that clients receive.

use std::{
    any::Any,
    error::Error as StdError,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tower::{
    BoxError,
    buffer::error::{Closed, ServiceError},
    load_shed::error::Overloaded,
    timeout::error::Elapsed,
};
use tracing::field;
use uuid::Uuid;

use crate::{
    connection::Connection,
    error::{Code, Error},
    protocol::Name,
};

/// Maps an error to the refusal that the client receives. An [`Error`] with any code but INTERNAL_SERVER_ERROR is
/// returned unchanged. tower's `Elapsed` becomes TIMEOUT. `Overloaded`, and a buffer that is closed or whose service
/// has failed, become OVERLOADED. Anything else becomes INTERNAL_SERVER_ERROR with only an id. The details are logged
/// under that id. Errors of the app may panic in `source`, in `Display` or in their drop, which becomes
/// INTERNAL_SERVER_ERROR, too.
#[must_use]
pub fn explain(error: BoxError) -> Error {
    explain_failure(error, None)
}

/// The message that failed: its route and its connection.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) route: Name,
    pub(crate) connection: Connection,
}

/// Maps an error like [`explain`]. The log of an internal error has the route and the client of the message.
pub(super) fn explain_failure(error: BoxError, about: Option<&About>) -> Error {
    let mut error = match error.downcast::<Error>() {
        Ok(refusal) if refusal.code() != Code::INTERNAL_SERVER_ERROR => return *refusal,
        Ok(refusal) => return conceal(*refusal, about),
        Err(other) => other,
    };
    match caught(|| visible_refusal(&*error)) {
        Ok(Some(refusal)) => refusal.with_source(error),
        Ok(None) => conceal(Error::internal(error), about),
        Err(panic) => {
            drop_caught(mem::replace(&mut error, panic));
            conceal(Error::internal(error), about)
        }
    }
}

/// Returns the code of the refusal that [`explain`] would return, for an observer that does not consume the error.
#[must_use]
pub fn code_of(error: &(dyn StdError + 'static)) -> Code {
    match Cause::of(error) {
        Cause::Refusal(refusal) => refusal.code(),
        Cause::Elapsed => Code::TIMEOUT,
        Cause::Overloaded | Cause::Stopped => Code::OVERLOADED,
        Cause::Unknown => Code::INTERNAL_SERVER_ERROR,
    }
}

/// Returns the refusal for another message that waited for the same result. The error may panic, as in [`explain`].
pub(crate) fn refusal_for_waiter(error: &(dyn StdError + 'static)) -> Error {
    caught(|| visible_refusal(error).unwrap_or_else(|| Error::internal(error.to_string())))
        .unwrap_or_else(Error::internal)
}

/// Returns the refusal for an error that may be shown to the client, without its source; none for any other error.
fn visible_refusal(error: &(dyn StdError + 'static)) -> Option<Error> {
    match Cause::of(error) {
        Cause::Refusal(refusal) => Some(refusal.without_source()),
        Cause::Elapsed => Some(Error::new(Code::TIMEOUT, "the message timed out")),
        Cause::Overloaded => Some(Error::new(
            Code::OVERLOADED,
            "the server is overloaded; try again later",
        )),
        Cause::Stopped => Some(Error::new(
            Code::OVERLOADED,
            "this part of the server has stopped",
        )),
        Cause::Unknown => None,
    }
}

/// Cause of an error, found by walking its sources.
pub(crate) enum Cause<'a> {
    /// A refusal with any code but INTERNAL_SERVER_ERROR.
    Refusal(&'a Error),
    /// A timeout.
    Elapsed,
    /// Load was shed.
    Overloaded,
    /// A buffer whose service has stopped.
    Stopped,
    /// A cause that is hidden from the client.
    Unknown,
}

impl<'a> Cause<'a> {
    pub(crate) fn of(error: &'a (dyn StdError + 'static)) -> Self {
        let mut stopped = false;
        for current in std::iter::successors(Some(error), |current| (*current).source()) {
            match current.downcast_ref::<Error>() {
                // Its sources are hidden from the client.
                Some(refusal) if refusal.code() == Code::INTERNAL_SERVER_ERROR => break,
                Some(refusal) => return Cause::Refusal(refusal),
                None if current.is::<Elapsed>() => return Cause::Elapsed,
                None if current.is::<Overloaded>() => return Cause::Overloaded,
                // A buffer's error counts only if its sources have no other cause.
                None => stopped |= current.is::<Closed>() || current.is::<ServiceError>(),
            }
        }
        if stopped { Cause::Stopped } else { Cause::Unknown }
    }
}

/// Calls code of the app. A panic becomes an error with the panic's message. [`explain`] turns it into a refusal with only
/// an id.
///
/// # Errors
/// If the code panicked.
pub fn caught<T>(call: impl FnOnce() -> T) -> Result<T, BoxError> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| Box::new(Panic::of(panic)) as BoxError)
}

/// Drops a value of the app. A panic of its drop is caught. A panic's payload may be such a value itself, so one whose
/// drop panics again is leaked.
fn drop_caught<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value)))
        && let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(panic)))
    {
        mem::forget(panic);
    }
}

/// Hides the details of an internal error from the client. They are logged under an id that the client receives too.
pub(super) fn conceal(error: Error, about: Option<&About>) -> Error {
    let id = Uuid::new_v4();
    let mut details = Vec::new();
    let walked = caught(|| {
        for cause in std::iter::successors(error.source(), |cause| (*cause).source()) {
            details.push(caught(|| cause.to_string()).unwrap_or_else(|panic| an_error_that(&panic)));
        }
    });
    details.extend(walked.err().map(|panic| an_error_that(&panic)));
    let detail = details.join(": ");
    let route = about.map(|about| shortened(&about.route));
    tracing::error!(
        %id,
        route = route.as_ref().map(field::debug),
        client = about.map(|about| field::display(about.connection.client_id())),
        error = error.message(),
        detail,
        "internal error"
    );
    drop_caught(error);
    Error::new(Code::INTERNAL_SERVER_ERROR, format!("internal error {id}"))
}

/// Shortens a route for the log. It is text from the client, so it is logged quoted, and at most 100 characters of it.
pub(super) fn shortened(route: &str) -> String {
    route.chars().take(100).collect()
}

/// Describes an error of the app that panicked, in place of its own text.
fn an_error_that(panic: &BoxError) -> String {
    format!("an error that {panic}")
}

/// Error that a caught panic is turned into. It holds the panic's message for the log.
#[derive(Debug)]
struct Panic(String);

impl Panic {
    fn of(payload: Box<dyn Any + Send>) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        drop_caught(payload);
        Self(message.unwrap_or_else(|| "a value that is no text".to_owned()))
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.0)
    }
}

impl StdError for Panic {}
