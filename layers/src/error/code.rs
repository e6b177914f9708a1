//! Codes of refusals.

use std::fmt;

/// Code of a refusal, as it is sent to the client.
///
/// The codes of the protocol are constants. An app adds its own with [`Code::app`], and declares them on the procedures
/// that answer with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(&'static str);

/// Defines the constants and the list of them all, so that neither has a code that the other lacks.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident;)*) => {
        impl Code {
            $($(#[$doc])* pub const $code: Self = Self(stringify!($code));)*

            /// The codes that a procedure may answer with and does not have to declare.
            pub const PROTOCOL: [Self; [$(stringify!($code)),*].len()] = [$(Self::$code),*];
        }
    };
}

codes! {
    /// The frame is not a message: no JSON, no object, no `type`, or an `rpcId` of the wrong kind.
    PARSE_ERROR;
    /// The route or the requested object does not exist.
    NOT_FOUND;
    /// The payload does not match its type or its constraints. [`Error::issues`](crate::Error::issues) lists the violations.
    BAD_REQUEST;
    /// The client has not authenticated.
    UNAUTHORIZED;
    /// The client is authenticated and lacks permission.
    FORBIDDEN;
    /// The request contradicts the current state.
    CONFLICT;
    /// A precondition of the request does not hold, or a limit of the connection is reached.
    PRECONDITION_FAILED;
    /// A tower timeout elapsed.
    TIMEOUT;
    /// Load was shed, a buffer was closed, or the hub refused an effect for lack of capacity.
    OVERLOADED;
    /// A rate limit refused the message. [`Error::retry_after`](crate::Error::retry_after) returns the time to wait.
    TOO_MANY_REQUESTS;
    /// The payload, the answer or an event is larger than its limit.
    PAYLOAD_TOO_LARGE;
    /// A panic, or a failure whose details are hidden from the client.
    INTERNAL_SERVER_ERROR;
}

impl Code {
    /// Creates a code that the app defines, by convention in `SCREAMING_SNAKE_CASE`. As the value of a constant, a code
    /// that no app can have does not compile:
    ///
    /// ```compile_fail
    /// # use zocket_layers::Code;
    /// const ROOM_FULL: Code = Code::app("ROOM FULL");
    /// # drop(ROOM_FULL);
    /// ```
    ///
    /// # Panics
    /// If the code is empty, has white space or a control character of ASCII, or is one of the [protocol's](Self::PROTOCOL).
    #[must_use]
    #[track_caller]
    pub const fn app(code: &'static str) -> Self {
        assert!(
            !code.is_empty(),
            "expected a code such as ROOM_FULL, got an empty text"
        );
        let mut rest = code.as_bytes();
        while let [byte, others @ ..] = rest {
            assert!(
                *byte != b' ' && !byte.is_ascii_control(),
                "expected a code without white space and control characters, such as ROOM_FULL"
            );
            rest = others;
        }
        let mut protocol = Self::PROTOCOL.as_slice();
        while let [known, others @ ..] = protocol {
            assert!(
                !is_same(known.0.as_bytes(), code.as_bytes()),
                "expected a code of the app, got one of the protocol: use its constant, such as Code::NOT_FOUND"
            );
            protocol = others;
        }
        Self(code)
    }

    /// Returns the code as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Returns true if the protocol defines this code, so that no procedure has to declare it.
    #[must_use]
    pub fn is_protocol(self) -> bool {
        Self::PROTOCOL.contains(&self)
    }
}

/// Returns true for equal bytes. `==` is not `const`.
const fn is_same(mut left: &[u8], mut right: &[u8]) -> bool {
    while let ([first, left_rest @ ..], [other, right_rest @ ..]) = (left, right) {
        if *first != *other {
            return false;
        }
        (left, right) = (left_rest, right_rest);
    }
    left.is_empty() && right.is_empty()
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_the_app_may_have_any_visible_characters() {
        for code in [
            "ROOM_FULL",
            "roomFull",
            "room.full-2",
            "NOT_FOUND_",
            "NOT",
            "\"é\u{2028}",
        ] {
            assert_eq!(Code::app(code).as_str(), code);
        }
    }

    #[test]
    fn a_code_that_no_app_can_have_is_refused() {
        let protocol = Code::PROTOCOL.map(Code::as_str);
        for code in ["", " ", "ROOM FULL", "ROOM\tFULL", "ROOM_FULL\n", "\0", "\u{7f}"]
            .iter()
            .chain(&protocol)
        {
            assert!(std::panic::catch_unwind(|| Code::app(code)).is_err(), "{code:?}");
        }
    }
}
