//! Names that JavaScript or the client gives a meaning to are refused, in any segment of routes and events.

use schemars::JsonSchema;
use serde::Serialize;
use zocket::{Context, Outgoing, Router, ServeError, Zocket};

/// Returns a procedure that does nothing.
macro_rules! nop {
    ($zo:expr) => {
        $zo.message().handle(async |_: Context<_>| Ok(()))
    };
}

/// Returns the router with events of these names, each with its name.
macro_rules! events {
    ($zo:expr; $($name:literal),*) => {
        [$({
            #[derive(Serialize, JsonSchema)]
            struct Event;
            impl Outgoing for Event {
                const TYPE: &'static str = $name;
            }
            ($name, $zo.router().outgoing::<Event>(), line!())
        }),*]
    };
}

/// Asserts that a router has one problem, which names the segment, its place and a reason.
#[track_caller]
fn assert_refused(zo: &Zocket, router: Router<()>, segment: &str, says: &[&str]) {
    let ServeError::Router(error) = zo.try_serve(router).expect_err(segment) else {
        panic!("expected an error of the router");
    };
    assert_eq!(error.problems().len(), 1, "{error}");
    for words in says
        .iter()
        .copied()
        .chain([format!("`{segment}`").as_str(), file!()])
    {
        assert!(error.to_string().contains(words), "{words} is not in {error}");
    }
}

const RESERVED: [&str; 32] = [
    "then",
    "catch",
    "finally",
    "constructor",
    "prototype",
    "__proto__",
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__esModule",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toString",
    "toLocaleString",
    "valueOf",
    "toJSON",
    "apply",
    "bind",
    "call",
    "arguments",
    "caller",
    "safe",
    "route",
    "$$typeof",
    "asymmetricMatch",
    "nodeType",
    "addEventListener",
    "removeEventListener",
    "dispatchEvent",
    "handleEvent",
];

#[test]
fn a_reserved_name_is_refused_in_every_segment_of_a_route() {
    let zo = Zocket::builder().build();
    for name in RESERVED {
        let reserved_for_the_protocol = name.starts_with("__");
        for path in [
            name.to_owned(),
            format!("{name}.post"),
            format!("job.{name}"),
            format!("job.{name}.last"),
            format!("a.b.{name}"),
        ] {
            if reserved_for_the_protocol && path.starts_with(name) {
                assert!(
                    zo.try_serve(zo.router().incoming(&path, nop!(zo))).is_err(),
                    "{path}"
                );
                continue;
            }
            let quoted = format!("route `{path}`");
            assert_refused(&zo, zo.router().incoming(&path, nop!(zo)), name, &[&quoted]);
        }
        // Through nests as well.
        let nested = zo.router().nest("job", zo.router().incoming(name, nop!(zo)));
        if !reserved_for_the_protocol {
            assert_refused(&zo, nested, name, &[&format!("route `job.{name}`")]);
        }
    }
}

#[test]
fn a_reserved_name_is_refused_in_every_segment_of_an_event() {
    let zo = Zocket::builder().build();
    for (name, router, _) in events!(
        zo; "then", "job.then", "job.then.done", "job.catch", "job.finally", "a.constructor", "a.b.prototype", "a.__proto__",
        "toString", "a.valueOf", "a.toJSON", "hasOwnProperty.x", "a.safe", "a.route", "a.bind", "a.nodeType"
    ) {
        let error = zo.try_serve(router).expect_err(name).to_string();
        assert!(
            error.contains(&format!("outgoing `{name}`")) && error.contains(file!()),
            "{error}"
        );
    }
}

#[test]
fn the_message_says_which_segment_and_why() {
    let zo = Zocket::builder().build();
    let problem = |path: &str| {
        zo.try_serve(zo.router().incoming(path, nop!(zo)))
            .unwrap_err()
            .to_string()
    };
    assert!(
        problem("job.then").contains("`then`") && problem("job.then").contains("`await`"),
        "{}",
        problem("job.then")
    );
    assert!(
        problem("a.toJSON").contains("JSON.stringify"),
        "{}",
        problem("a.toJSON")
    );
    assert!(
        problem("a.safe").contains("call of the client"),
        "{}",
        problem("a.safe")
    );
    assert!(
        problem("a.toString").contains("every object of JavaScript"),
        "{}",
        problem("a.toString")
    );
    assert!(
        problem("status").contains("would shadow the client's member `status`"),
        "{}",
        problem("status")
    );
}

#[test]
fn names_without_a_meaning_on_a_client_are_accepted() {
    let zo = Zocket::builder().build();
    let mut router = zo.router();
    // Keywords and literals of JavaScript, members of the client below its first level, names that only begin alike.
    for path in [
        "delete",
        "new",
        "class",
        "default",
        "function",
        "await",
        "null",
        "undefined",
        "get",
        "set",
        "readonly",
        "a.status",
        "a.on",
        "a.close",
        "user.name",
        "list.length",
        "game.next",
        "thenable",
        "a.thens",
        "a.Then",
        "calls",
        "a.caught",
        "toStrings",
        "a._proto_",
        "bus.routes",
        "1",
        "a.2",
        "a.with space",
        "a.quote\"",
        "grüße.日本",
    ] {
        router = router.incoming(path, nop!(zo));
    }
    zo.try_serve(router).unwrap();
    for (name, router, _) in events!(zo; "status", "close", "on.on", "user.name", "delete", "a.then2") {
        assert!(zo.try_serve(router).is_ok(), "{name}");
    }
    // A route and an event may share a name: the client has them in different places.
    let [(_, router, _)] = events!(zo; "chat.message");
    assert!(
        zo.try_serve(
            router
                .incoming("chat.message", nop!(zo))
                .incoming("chat.message2", nop!(zo))
        )
        .is_ok()
    );
}
