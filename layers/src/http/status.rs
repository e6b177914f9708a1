//! Conversion between codes and HTTP statuses.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::error::{Code, Error};

/// Returns the status for a code. Codes that an app defines have 400.
#[must_use]
pub fn status_of(code: Code) -> StatusCode {
    match code {
        Code::UNAUTHORIZED => StatusCode::UNAUTHORIZED,
        Code::FORBIDDEN => StatusCode::FORBIDDEN,
        Code::NOT_FOUND => StatusCode::NOT_FOUND,
        Code::CONFLICT => StatusCode::CONFLICT,
        Code::PRECONDITION_FAILED => StatusCode::PRECONDITION_FAILED,
        Code::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        Code::TOO_MANY_REQUESTS => StatusCode::TOO_MANY_REQUESTS,
        Code::OVERLOADED => StatusCode::SERVICE_UNAVAILABLE,
        Code::TIMEOUT => StatusCode::GATEWAY_TIMEOUT,
        Code::INTERNAL_SERVER_ERROR => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Returns the value of a `retry-after` (RFC 9110, section 10.2.3): whole seconds, rounded up.
#[must_use]
pub fn retry_after(wait: Duration) -> HeaderValue {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    seconds.into()
}

/// Returns the code for a status. Any status not listed in the [module's documentation](super) becomes
/// INTERNAL_SERVER_ERROR if it is 5xx, and BAD_REQUEST otherwise.
#[must_use]
pub fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::UNAUTHORIZED => Code::UNAUTHORIZED,
        StatusCode::FORBIDDEN => Code::FORBIDDEN,
        StatusCode::NOT_FOUND => Code::NOT_FOUND,
        StatusCode::CONFLICT => Code::CONFLICT,
        StatusCode::PRECONDITION_FAILED | StatusCode::PRECONDITION_REQUIRED => Code::PRECONDITION_FAILED,
        StatusCode::PAYLOAD_TOO_LARGE => Code::PAYLOAD_TOO_LARGE,
        StatusCode::TOO_MANY_REQUESTS => Code::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE => Code::OVERLOADED,
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => Code::TIMEOUT,
        other if other.is_server_error() => Code::INTERNAL_SERVER_ERROR,
        _ => Code::BAD_REQUEST,
    }
}

/// Returns the time of a `retry-after` in seconds (RFC 9110, section 10.2.3), or none for a date, which is not parsed.
#[must_use]
pub fn wait_of(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// Returns the refusal for a response that an HTTP layer made by itself.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap) -> Error {
    let code = code_of(status);
    // A success or a redirection is not an answer to a message.
    if code == Code::INTERNAL_SERVER_ERROR || status.as_u16() < 400 {
        return Error::internal(format!(
            "expected an error status from an HTTP layer that answers by itself, got {status}"
        ));
    }
    match wait_of(headers) {
        Some(wait) if code == Code::TOO_MANY_REQUESTS => Error::too_many_requests(wait),
        _ => {
            let reason = status.canonical_reason().unwrap_or("refused").to_lowercase();
            Error::new(code, reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_code_survives_the_way_there_and_back() {
        for code in Code::PROTOCOL {
            let back = refusal(status_of(code), &HeaderMap::new());
            // The decoder refuses frames that are not messages, so that PARSE_ERROR never reaches an HTTP layer.
            let expected = if code == Code::PARSE_ERROR {
                Code::BAD_REQUEST
            } else {
                code
            };
            assert_eq!(back.code(), expected);
        }
    }

    #[test]
    fn a_wait_is_whole_seconds_rounded_up() {
        assert_eq!(retry_after(Duration::from_millis(1001)), "2");
        assert_eq!(retry_after(Duration::from_secs(2)), "2");
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, retry_after(Duration::from_secs(2)))]);
        let refusal = refusal(StatusCode::TOO_MANY_REQUESTS, &headers);
        assert_eq!(refusal.retry_after(), Some(Duration::from_secs(2)));
    }
}
