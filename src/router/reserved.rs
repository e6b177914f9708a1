//! Names that JavaScript, its libraries or the generated clients give a meaning to.

/// Names that no route may begin with: the members that generated clients have beside the routes.
pub(super) const CLIENT_MEMBERS: [&str; 13] = [
    "on",
    "onOpen",
    "onClose",
    "onError",
    "onStatus",
    "onRetry",
    "close",
    "reconnect",
    "status",
    "lastError",
    "clientId",
    "retryAt",
    "resumed",
];

/// Returns the meaning of a name that no segment of a route or an event may have, as the end of a sentence.
///
/// Each segment is a member of an object in a generated client. The list has the names that a program looks up on
/// objects that it does not know, and those that read as if they did something else. Keywords such as `delete` are valid
/// members, and so are `name` and `length`.
pub(super) fn meaning_of(segment: &str) -> Option<&'static str> {
    Some(match segment {
        "then" => "`await` calls it, as a promise's",
        "catch" | "finally" => "it is a method of promises",
        "constructor"
        | "__proto__"
        | "__defineGetter__"
        | "__defineSetter__"
        | "__lookupGetter__"
        | "__lookupSetter__"
        | "hasOwnProperty"
        | "isPrototypeOf"
        | "propertyIsEnumerable"
        | "toString"
        | "toLocaleString"
        | "valueOf" => "every object of JavaScript has it",
        "toJSON" => "`JSON.stringify` calls it",
        "prototype" | "apply" | "bind" | "call" | "arguments" | "caller" => {
            "every function of JavaScript has it"
        }
        "safe" | "route" => "every call of the client has it",
        "addEventListener" | "removeEventListener" | "dispatchEvent" | "handleEvent" | "nodeType" => {
            "libraries recognise objects of the DOM by it"
        }
        "__esModule" | "$$typeof" | "asymmetricMatch" => {
            "bundlers, React or test runners recognise their own objects by it"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_and_names_of_data_have_no_meaning() {
        for segment in ["delete", "new", "name", "length", "next", "then2", "Then", ""] {
            assert_eq!(meaning_of(segment), None, "{segment}");
        }
    }
}
