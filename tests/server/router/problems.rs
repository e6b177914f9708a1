//! Invalid routers are refused with the source locations of their problems.

use schemars::JsonSchema;
use serde::Serialize;
use zocket::{Context, Outgoing, Router, ServeError, Zocket};

use super::Said;

/// Returns a procedure that does nothing, for any context.
macro_rules! nop {
    ($zo:expr) => {
        $zo.message().handle(async |_: Context<_>| Ok(()))
    };
}

outgoing! {
    OtherSaid: "chat.said",
    Moved: "game.board.moved",
    Elsewhere: "gameboard.moved",
    Prefix: "game",
    Empty: "a..b",
    Reserved: "__welcome"
}

/// Returns a location in a file, in the format of problems.
pub(super) fn place(file: &str, line: u32) -> String {
    format!("{file}:{line}:")
}

/// Returns the problems of an invalid router.
fn problems(zo: &Zocket, router: Router<()>) -> Vec<String> {
    let ServeError::Router(error) = zo.try_serve(router).expect_err("it is invalid") else {
        panic!("expected an error of the router");
    };
    for problem in error.problems() {
        assert!(error.to_string().contains(problem.as_str()), "{error}");
    }
    error.problems().to_vec()
}

/// Asserts that there is exactly one problem, whose text contains each of `says`.
#[track_caller]
pub(super) fn assert_problem(zo: &Zocket, router: Router<()>, says: &[&str]) {
    let problems = problems(zo, router);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    for words in says {
        assert!(problems[0].contains(words), "{words} in {problems:#?}");
    }
}

pub(super) fn app() -> Zocket {
    Zocket::builder().build()
}

#[test]
fn a_route_declared_twice_is_refused_with_both_places() {
    let zo = app();
    let (router, first) = (zo.router().incoming("chat.post", nop!(zo)), line!());
    let router = router.incoming("chat.read", nop!(zo));
    let (router, second) = (router.incoming("chat.post", nop!(zo)), line!());
    assert_problem(
        &zo,
        router,
        &[
            "`chat.post`",
            "twice",
            &place(file!(), first),
            &place(file!(), second),
        ],
    );
}

#[test]
fn a_route_declared_again_through_a_nest_is_refused_with_both_places() {
    let zo = app();
    let (inner, second) = (zo.router().incoming("post", nop!(zo)), line!());
    let (router, first) = (zo.router().incoming("app.chat.post", nop!(zo)), line!());
    let router = router.nest("app", zo.router().nest("chat", inner));
    assert_problem(
        &zo,
        router,
        &[
            "`app.chat.post`",
            "twice",
            &place(file!(), first),
            &place(file!(), second),
        ],
    );
    // Two nests with one prefix may define a route twice, too. Without that, they are valid.
    let (one, first) = (zo.router().incoming("post", nop!(zo)), line!());
    let (two, second) = (zo.router().incoming("post", nop!(zo)), line!());
    let three = zo.router().incoming("read", nop!(zo));
    let router = zo
        .router()
        .nest("chat", one)
        .nest("chat", two)
        .nest("chat", three);
    assert_problem(
        &zo,
        router,
        &[
            "`chat.post`",
            "twice",
            &place(file!(), first),
            &place(file!(), second),
        ],
    );
}

#[test]
fn a_route_at_the_prefix_of_a_nest_is_refused_with_both_places() {
    let zo = app();
    let module = || zo.router().incoming("start", nop!(zo));
    let (router, route) = (zo.router().incoming("game", nop!(zo)), line!());
    let (router, nest) = (router.nest("game", module()), line!());
    assert_problem(
        &zo,
        router,
        &["`game`", "nest", &place(file!(), route), &place(file!(), nest)],
    );
    // The order and the depth have no effect.
    let (inner, nest) = (zo.router().nest("game", module()), line!());
    let (inner, route) = (inner.incoming("game", nop!(zo)), line!());
    let router = zo.router().nest("app", inner);
    assert_problem(
        &zo,
        router,
        &[
            "`app.game`",
            "nest",
            &place(file!(), route),
            &place(file!(), nest),
        ],
    );
    // A route that only shares the first letters is valid.
    let router = zo.router().nest("game", module()).incoming("games", nop!(zo));
    assert!(zo.try_serve(router).is_ok());
}

#[test]
fn an_empty_segment_is_refused_with_its_place() {
    let zo = app();
    for path in ["", ".", "a..b", ".a", "a."] {
        let quoted = format!("`{path}`");
        let (router, line) = (zo.router().incoming(path, nop!(zo)), line!());
        assert_problem(
            &zo,
            router,
            &["route", &quoted, "empty segment", &place(file!(), line)],
        );
        let module = zo.router().incoming("start", nop!(zo));
        let (router, line) = (zo.router().nest(path, module), line!());
        assert_problem(
            &zo,
            router,
            &["nest", &quoted, "empty segment", &place(file!(), line)],
        );
    }
    let (router, line) = (zo.router().outgoing::<Empty>(), line!());
    assert_problem(
        &zo,
        router,
        &["outgoing", "`a..b`", "empty segment", &place(file!(), line)],
    );
    // A module's routes are checked, too.
    let (module, line) = (zo.router().incoming("b.", nop!(zo)), line!());
    assert_problem(
        &zo,
        zo.router().nest("a", module),
        &["empty segment", &place(file!(), line)],
    );
}

#[test]
fn the_protocols_own_names_are_refused_with_their_place() {
    let zo = app();
    let (router, line) = (zo.router().incoming("__rpc_res", nop!(zo)), line!());
    assert_problem(
        &zo,
        router,
        &["route", "`__rpc_res`", "protocol", &place(file!(), line)],
    );
    let module = zo.router().incoming("start", nop!(zo));
    let (router, line) = (zo.router().nest("__game", module), line!());
    assert_problem(
        &zo,
        router,
        &["nest", "`__game`", "protocol", &place(file!(), line)],
    );
    let (router, line) = (zo.router().outgoing::<Reserved>(), line!());
    assert_problem(
        &zo,
        router,
        &["outgoing", "`__welcome`", "protocol", &place(file!(), line)],
    );
    // A name with one leading underscore is not reserved.
    assert!(zo.try_serve(zo.router().incoming("_a", nop!(zo))).is_ok());
}

#[test]
fn an_outgoing_message_outside_of_its_nests_prefix_is_refused_with_its_place() {
    let zo = app();
    let (module, line) = (zo.router().outgoing::<Said>(), line!());
    let router = zo.router().nest("game", module);
    assert_problem(&zo, router, &["`chat.said`", "`game`", &place(file!(), line)]);
    // The prefix consists of segments, and the name must be longer than it.
    let (module, line) = (zo.router().outgoing::<Elsewhere>(), line!());
    assert_problem(
        &zo,
        zo.router().nest("game", module),
        &["`gameboard.moved`", &place(file!(), line)],
    );
    let (module, line) = (zo.router().outgoing::<Prefix>(), line!());
    assert_problem(
        &zo,
        zo.router().nest("game", module),
        &["`game`", &place(file!(), line)],
    );
    // Prefixes of nested nests add up.
    let module = || zo.router().outgoing::<Moved>();
    let nested = zo.router().nest("game", zo.router().nest("board", module()));
    assert!(zo.try_serve(nested).is_ok());
    let nested = zo.router().nest("board", zo.router().nest("game", module()));
    assert_problem(&zo, nested, &["`game.board.moved`", "`board.game`"]);
    assert!(zo.try_serve(zo.router().nest("game", module())).is_ok());
    assert!(zo.try_serve(module()).is_ok());
}

#[test]
fn one_name_for_two_types_is_refused_with_both_places() {
    let zo = app();
    let (router, first) = (zo.router().outgoing::<Said>(), line!());
    let (module, second) = (zo.router().outgoing::<OtherSaid>(), line!());
    let says = [
        "`chat.said`",
        "two types",
        "Said",
        "OtherSaid",
        &place(file!(), first),
        &place(file!(), second),
    ];
    assert_problem(&zo, router.nest("chat", module), &says);
}

#[test]
fn one_outgoing_message_may_be_declared_by_several_modules() {
    let zo = app();
    let module = || zo.router().outgoing::<Said>().outgoing::<Said>();
    let router = zo
        .router()
        .outgoing::<Said>()
        .nest("chat", module())
        .nest("chat", module());
    assert!(zo.try_serve(router).is_ok());
}

#[test]
fn all_problems_are_reported_together() {
    let zo = app();
    let module = zo
        .router()
        .outgoing::<Said>()
        .incoming("a..b", nop!(zo))
        .incoming("start", nop!(zo));
    let router = || {
        zo.router()
            .outgoing::<OtherSaid>()
            .incoming("__x", nop!(zo))
            .incoming("game", nop!(zo))
            .incoming("game.start", nop!(zo))
    };
    let router = router().nest("game", module);
    let problems = problems(&zo, router);
    for words in [
        "`a..b`",
        "`__x`",
        "`game.start`",
        "prefix of a nest",
        "not under the prefix",
        "two types",
    ] {
        let count = problems.iter().filter(|problem| problem.contains(words)).count();
        assert_eq!(count, 1, "{words}: {problems:#?}");
    }
    assert_eq!(problems.len(), 6, "{problems:#?}");
    // Declarations of a refused router have no effect: its events can't be sent.
    let served = zo.router().incoming("ok", nop!(zo));
    assert!(zo.try_serve(served).is_ok());
    assert!(zo.emitter().send(OtherSaid { text: "" }).broadcast().is_err());
}

#[test]
fn a_router_of_another_app_is_refused_with_its_place() {
    // Effects of that router would go to another hub, which has no clients.
    let (zo, other) = (app(), app());
    let module = other.router().incoming("start", nop!(other));
    let (router, line) = (zo.router().nest("game", module), line!());
    assert_problem(&zo, router, &["`game`", "another app", &place(file!(), line)]);
    let router = other.router().incoming("start", nop!(other));
    assert_problem(&zo, router, &["another app"]);
}

#[test]
fn serve_panics_with_the_problems() {
    let zo = app();
    let router = zo.router().incoming("", nop!(zo)).incoming("__x", nop!(zo));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| zo.serve(router))).unwrap_err();
    let message = panic.downcast::<String>().unwrap();
    assert!(
        message.contains("empty segment") && message.contains("`__x`"),
        "{message}"
    );
}
