//! Refusal of a handshake, and the two ways in which a client learns of it: as an HTTP response, or as a WebSocket that
//! is closed at once.

use std::time::Duration;

use http::{Response, header};
use serde_json::json;
use zocket_layers::{
    Close, Code, Codec, DataFrame, Error,
    http::{retry_after, status_of},
    rescue::explain,
};

use super::answer::{json_response, record_refusal};
use crate::core::{NotAdmitted, Rejection, closes::refused_handshake};

/// Refusal of a handshake. It may hold an error of the app, whose drop may panic.
#[derive(Debug)]
pub(super) struct Refusal {
    error: Error,
    audience: Audience,
}

/// The part of a refusal that is told, besides its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// The client may know the error.
    Client,
    /// The client may know the error, which is about its connect headers.
    Headers,
    /// A page of another site. It can't read an HTTP response to its WebSocket, but every frame of one.
    ForeignPage,
}

impl Refusal {
    /// Creates the refusal of a page of another origin.
    pub(super) const fn of_origin(error: Error) -> Self {
        Self {
            error,
            audience: Audience::ForeignPage,
        }
    }

    /// Creates the refusal of a client whose `on_connect` did not end in time.
    pub(super) fn connect_timed_out() -> Self {
        let message = "the server did not decide in time whether the client may connect";
        Error::new(Code::TIMEOUT, message).into()
    }

    /// Records the refusal, and returns it as an HTTP response with a JSON body.
    pub(super) fn response<B: From<String>>(&self) -> Response<B> {
        let (error, code) = (&self.error, self.error.code());
        let body = match self.audience {
            Audience::Headers => json!({ "error": "Invalid headers", "details": error.issues() }),
            Audience::Client | Audience::ForeignPage => {
                let mut body = json!({ "error": error.message(), "code": code.as_str() });
                if !error.issues().is_empty() {
                    body["details"] = json!(error.issues());
                }
                body
            }
        };
        self.record();
        let mut response = json_response(status_of(code), &body);
        if let Some(wait) = error.retry_after() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, retry_after(wait));
        }
        response
    }

    /// Logs and counts the refusal.
    pub(super) fn record(&self) {
        let code = self.error.code();
        record_refusal(status_of(code), code.as_str());
    }

    /// Returns the frame and the Close of a WebSocket that is refused.
    pub(super) fn told(&self, codec: Codec) -> (DataFrame, Close) {
        let code = self.error.code();
        let frame = match self.audience {
            Audience::Client | Audience::Headers => codec.handshake_error(&self.error),
            Audience::ForeignPage => codec.handshake_error(&Error::new(code, "")),
        };
        (frame, refused_handshake(status_of(code), code))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error,
            audience: Audience::Client,
        }
    }
}

impl From<NotAdmitted> for Refusal {
    fn from(reason: NotAdmitted) -> Self {
        let (message, wait) = match reason {
            // Short, because other servers accept clients.
            NotAdmitted::ShuttingDown => ("the server is shutting down", 1),
            NotAdmitted::Connections => ("the server has no room for another client", 5),
            NotAdmitted::Handshakes => ("too many clients connect at once", 1),
        };
        let error = Error::new(Code::OVERLOADED, message);
        error.with_retry_after(Duration::from_secs(wait)).into()
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Refused(error) => explain(error.into()).into(),
            Rejection::Headers(issues) => Self {
                error: Error::bad_request(issues),
                audience: Audience::Headers,
            },
        }
    }
}
