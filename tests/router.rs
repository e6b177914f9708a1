//! The router and procedures: what they refuse to serve, and in which order layers stand.

mod common;

use std::{
    any::Any,
    sync::{Arc, Mutex},
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::{BoxError, Service, ServiceExt, util::MapRequestLayer};
use zocket::{
    ClientId, Close, Code, Connection, Context, Endpoint, Error, Event, Message, Next, NoHeaders, Outgoing,
    RawPayload, Reply, Router, Zocket, from_fn,
    layers::{Effect, Target},
};

/// A procedure of whatever kind.
macro_rules! nop {
    ($zo:expr) => {
        $zo.message().handle(async |_: Context<_>| Ok(()))
    };
}

/// An outgoing message of a name.
macro_rules! outgoing {
    ($($name:ident: $event_type:literal),*) => {$(
        #[derive(Serialize, JsonSchema)]
        struct $name {
            text: &'static str,
        }

        impl Outgoing for $name {
            const TYPE: &'static str = $event_type;
        }
    )*};
}

outgoing! {
    Said: "chat.said",
    OtherSaid: "chat.said",
    Moved: "game.board.moved",
    Elsewhere: "gameboard.moved",
    Prefix: "game",
    Empty: "a..b",
    Reserved: "__welcome"
}

/// A place in this file, as problems name it.
fn place(line: u32) -> String {
    format!("{}:{line}:", file!())
}

/// The problems of a router that can't be served.
fn problems(zo: &Zocket, router: Router<()>) -> Vec<String> {
    let error = zo.try_serve(router).expect_err("it contradicts itself");
    for problem in error.problems() {
        assert!(error.to_string().contains(problem.as_str()), "{error}");
    }
    error.problems().to_vec()
}

/// There is one problem, and it says all of this.
#[track_caller]
fn assert_problem(zo: &Zocket, router: Router<()>, says: &[&str]) {
    let problems = problems(zo, router);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    for words in says {
        assert!(problems[0].contains(words), "{words} in {problems:#?}");
    }
}

fn app() -> Zocket {
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
        &["`chat.post`", "twice", &place(first), &place(second)],
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
        &["`app.chat.post`", "twice", &place(first), &place(second)],
    );
    // By two nests of one prefix, too; else they are fine together.
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
        &["`chat.post`", "twice", &place(first), &place(second)],
    );
}

#[test]
fn a_route_at_the_prefix_of_a_nest_is_refused_with_both_places() {
    let zo = app();
    let module = || zo.router().incoming("start", nop!(zo));
    let (router, route) = (zo.router().incoming("game", nop!(zo)), line!());
    let (router, nest) = (router.nest("game", module()), line!());
    assert_problem(&zo, router, &["`game`", "nest", &place(route), &place(nest)]);
    // In whatever order, however deep.
    let (inner, nest) = (zo.router().nest("game", module()), line!());
    let (inner, route) = (inner.incoming("game", nop!(zo)), line!());
    let router = zo.router().nest("app", inner);
    assert_problem(&zo, router, &["`app.game`", "nest", &place(route), &place(nest)]);
    // What only begins alike is something else.
    let router = zo.router().nest("game", module()).incoming("games", nop!(zo));
    assert!(zo.try_serve(router).is_ok());
}

#[test]
fn an_empty_segment_is_refused_with_its_place() {
    let zo = app();
    for path in ["", ".", "a..b", ".a", "a."] {
        let quoted = format!("`{path}`");
        let (router, line) = (zo.router().incoming(path, nop!(zo)), line!());
        assert_problem(&zo, router, &["route", &quoted, "empty segment", &place(line)]);
        let module = zo.router().incoming("start", nop!(zo));
        let (router, line) = (zo.router().nest(path, module), line!());
        assert_problem(&zo, router, &["nest", &quoted, "empty segment", &place(line)]);
    }
    let (router, line) = (zo.router().outgoing::<Empty>(), line!());
    assert_problem(
        &zo,
        router,
        &["outgoing", "`a..b`", "empty segment", &place(line)],
    );
    // Within a module, too.
    let (module, line) = (zo.router().incoming("b.", nop!(zo)), line!());
    assert_problem(
        &zo,
        zo.router().nest("a", module),
        &["empty segment", &place(line)],
    );
}

#[test]
fn the_protocols_own_names_are_refused_with_their_place() {
    let zo = app();
    let (router, line) = (zo.router().incoming("__rpc_res", nop!(zo)), line!());
    assert_problem(&zo, router, &["route", "`__rpc_res`", "protocol", &place(line)]);
    let module = zo.router().incoming("start", nop!(zo));
    let (router, line) = (zo.router().nest("__game", module), line!());
    assert_problem(&zo, router, &["nest", "`__game`", "protocol", &place(line)]);
    let (router, line) = (zo.router().outgoing::<Reserved>(), line!());
    assert_problem(
        &zo,
        router,
        &["outgoing", "`__welcome`", "protocol", &place(line)],
    );
    // One underscore is anyone's.
    assert!(zo.try_serve(zo.router().incoming("_a", nop!(zo))).is_ok());
}

#[test]
fn an_outgoing_message_outside_of_its_nests_prefix_is_refused_with_its_place() {
    let zo = app();
    let (module, line) = (zo.router().outgoing::<Said>(), line!());
    let router = zo.router().nest("game", module);
    assert_problem(&zo, router, &["`chat.said`", "`game`", &place(line)]);
    // The prefix is made of segments, and is not the name.
    let (module, line) = (zo.router().outgoing::<Elsewhere>(), line!());
    assert_problem(
        &zo,
        zo.router().nest("game", module),
        &["`gameboard.moved`", &place(line)],
    );
    let (module, line) = (zo.router().outgoing::<Prefix>(), line!());
    assert_problem(&zo, zo.router().nest("game", module), &["`game`", &place(line)]);
    // In nested nests, all of them count.
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
        &place(first),
        &place(second),
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
fn all_problems_are_told_at_once() {
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
    // Nothing of it was taken over: what a refused router declares can't be sent after all.
    let served = zo.router().incoming("ok", nop!(zo));
    assert!(zo.try_serve(served).is_ok());
    assert!(zo.emitter().send(OtherSaid { text: "" }).broadcast().is_err());
}

#[test]
fn a_router_of_another_app_is_refused_with_its_place() {
    // Its effects would go to another hub, where nobody is.
    let (zo, other) = (app(), app());
    let module = other.router().incoming("start", nop!(other));
    let (router, line) = (zo.router().nest("game", module), line!());
    assert_problem(&zo, router, &["`game`", "another app", &place(line)]);
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

/// What passed, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn note(&self, what: &'static str) {
        self.0.lock().expect("no panic holds it").push(what);
    }

    /// Takes what was noted.
    fn taken(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().expect("no panic holds it"))
    }
}

/// A tower layer that notes its name.
fn named<M>(log: &Log, name: &'static str) -> MapRequestLayer<impl Fn(M) -> M + Clone + use<M>> {
    let log = log.clone();
    MapRequestLayer::new(move |message| {
        log.note(name);
        message
    })
}

async fn handler(cx: Context<Log>) -> Result<(), Error> {
    cx.note("handler");
    Ok(())
}

fn noting() -> (Zocket<Log>, Log) {
    let log = Log::default();
    let zo = Zocket::builder()
        .on_connect_with(log.clone(), async |log: Log, _: NoHeaders, _: ClientId| Ok(log))
        .build();
    (zo, log)
}

/// A message without a payload.
fn message<C: Any + Send + Sync>(context: C, route: &'static str) -> Message {
    Message::new(Connection::detached(context), route, RawPayload::absent())
}

#[tokio::test]
async fn a_routers_layers_stand_around_its_routes_and_its_nests_and_no_others() {
    let (zo, log) = noting();
    let handle = || zo.message().handle(handler);
    let inner = zo
        .router()
        .incoming("inner", handle())
        .layer(named(&log, "inner layer"));
    let module = zo
        .router()
        .layer(named(&log, "first"))
        .incoming("a", handle())
        .layer(named(&log, "second"))
        .nest("deep", inner)
        .incoming("b", handle());
    let sibling = zo.router().incoming("c", handle()).layer(named(&log, "sibling"));
    let router = zo
        .router()
        .incoming("top", handle())
        .nest("module", module)
        .nest("sibling", sibling)
        .into_service()
        .unwrap();
    for (route, expected) in [
        ("top", vec!["handler"]),
        // Wherever in the router a route is written.
        ("module.a", vec!["first", "second", "handler"]),
        ("module.b", vec!["first", "second", "handler"]),
        (
            "module.deep.inner",
            vec!["first", "second", "inner layer", "handler"],
        ),
        ("sibling.c", vec!["sibling", "handler"]),
    ] {
        router.clone().oneshot(message(log.clone(), route)).await.unwrap();
        assert_eq!(log.taken(), expected, "{route}");
    }
    // No route, no layers.
    for route in [
        "a",
        "module",
        "module.",
        "module.a.",
        "MODULE.a",
        "deep.inner",
        "",
    ] {
        let error = router
            .clone()
            .oneshot(message(log.clone(), route))
            .await
            .unwrap_err();
        assert_eq!(
            error.downcast_ref::<Error>().unwrap().code(),
            Code::NOT_FOUND,
            "{route}"
        );
        assert_eq!(log.taken(), [""; 0]);
    }
}

#[tokio::test]
async fn a_procedures_layers_and_middleware_run_in_the_order_written() {
    async fn first(cx: Context<Log>) -> Result<Log, Error> {
        cx.note("with 1");
        Ok(Log::clone(&cx))
    }
    async fn second(cx: Context<Log>, input: Post) -> Result<(Log, Post), Error> {
        cx.note("with_input");
        Ok((Log::clone(&cx), input))
    }
    let (zo, log) = noting();
    let procedure = zo
        .message()
        .with(first)
        .input::<Post>()
        .layer(named(&log, "layer 1"))
        .with_input(second)
        .layer(named(&log, "layer 2"))
        .layer(named(&log, "layer 3"));
    let base = procedure.clone().handle(handler);
    let more = procedure.layer(named(&log, "layer 4")).handle(handler);
    let post = |payload: Value| {
        let payload = RawPayload::json(payload.to_string());
        Message::new(Connection::detached(log.clone()), "post", payload)
    };
    base.clone().oneshot(post(json!({ "text": "hi" }))).await.unwrap();
    let order = ["with 1", "layer 1", "with_input", "layer 2", "layer 3", "handler"];
    assert_eq!(log.taken(), order);
    // A builder's clone goes its own way.
    more.oneshot(post(json!({ "text": "hi" }))).await.unwrap();
    assert_eq!(log.taken()[..5], order[..5]);
    // Validation comes before all of it, though `with` was written before `input`.
    let error = base.oneshot(post(json!({ "text": "" }))).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Error>().unwrap().code(), Code::BAD_REQUEST);
    assert_eq!(log.taken(), [""; 0]);
}

#[tokio::test]
async fn the_apps_layers_stand_around_the_routers_the_first_outermost() {
    let log = Log::default();
    let zo = Zocket::builder()
        .layer(named::<Message>(&log, "app 1"))
        .on_connect_with(log.clone(), async |log: Log, _: NoHeaders, _: ClientId| Ok(log))
        .layer(named::<Message>(&log, "app 2"))
        .build();
    let procedure = zo.message().layer(named(&log, "procedure")).handle(handler);
    let router = zo.router().incoming("a", procedure).layer(named(&log, "router"));
    let server = common::serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    client.call("a", Value::Null).await.unwrap();
    assert_eq!(log.taken(), ["app 1", "app 2", "router", "procedure", "handler"]);
    // The app's see what no route takes, too.
    client.expect_nothing().await;
    assert_eq!(log.taken(), ["app 1", "app 2"]);
}

#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
struct Post {
    #[garde(length(chars, min = 1, max = 5))]
    text: String,
}

/// Around a raw message.
async fn around_raw(mut message: Message, next: Next) -> Result<Reply, BoxError> {
    let log = message.parts().connection().context::<Log>().expect("a log");
    log.note("raw before");
    assert!(message.parts_mut().extensions.insert(7_u8).is_none());
    let reply = next.run(message).await;
    log.note(if reply.is_ok() { "raw after" } else { "raw failed" });
    reply
}

/// Around a message with its input, which it changes.
async fn around_typed(
    message: Message<Post, Context<Log>>,
    next: Next<Post, Context<Log>>,
) -> Result<Reply, BoxError> {
    let log = Log::clone(message.context());
    log.note("typed before");
    assert_eq!(message.parts().extensions.get(), Some(&7_u8));
    if message.payload().text == "no" {
        return Err(Error::conflict("not this").into());
    }
    let message = message.map_payload(|post| Post {
        text: post.text.to_uppercase(),
    });
    let mut reply = next.run(message).await?;
    log.note("typed after");
    reply.answer = RawPayload::of(&(String::from_utf8_lossy(reply.answer.as_json()), "wrapped"))?;
    Ok(reply)
}

#[tokio::test]
async fn from_fn_runs_around_the_call_at_raw_and_typed_positions() {
    let (zo, log) = noting();
    let post = zo.message().input::<Post>().layer(from_fn(around_typed)).handle(
        async |cx: Context<Log>, post: Post| {
            cx.note("handler");
            Ok(post.text)
        },
    );
    let router = zo.router().incoming("post", post).layer(from_fn(around_raw));
    let router = router.into_service().unwrap();
    let post = |text: &str| {
        let payload = RawPayload::json(json!({ "text": text }).to_string());
        router
            .clone()
            .oneshot(Message::new(Connection::detached(log.clone()), "post", payload))
    };
    let reply = post("hi").await.unwrap();
    let answer: Value = serde_json::from_slice(reply.answer.as_json()).unwrap();
    assert_eq!(answer, json!(["\"HI\"", "wrapped"]));
    assert_eq!(
        log.taken(),
        [
            "raw before",
            "typed before",
            "handler",
            "typed after",
            "raw after"
        ]
    );
    assert_eq!(post("no").await.unwrap_err().to_string(), "CONFLICT: not this");
    assert_eq!(log.taken(), ["raw before", "typed before", "raw failed"]);
    post("much too long").await.unwrap_err();
    assert_eq!(log.taken(), ["raw before", "raw failed"]);
}

/// The context of those who may.
struct Admin {
    name: &'static str,
}

struct User {
    name: &'static str,
    is_admin: bool,
}

async fn require_admin(cx: Context<User>) -> Result<Admin, Error> {
    if cx.is_admin {
        Ok(Admin { name: cx.name })
    } else {
        Err(Error::forbidden("admins only"))
    }
}

fn clear(
    zo: &Zocket<User>,
) -> Endpoint<User, impl Service<Message, Response = Reply, Error = BoxError> + Clone> {
    zo.message()
        .input::<Post>()
        .with(require_admin)
        .handle(async |cx: Context<Admin>, input: Post| {
            cx.rooms().join("attic")?;
            assert!(cx.rooms().has("attic"));
            assert_eq!(cx.rooms().size("attic").await, 1);
            cx.send(Said { text: "one" }).to_rooms(["attic", "cellar"]);
            cx.send(Said { text: "two" }).to([cx.client_id()]);
            cx.send(Said { text: "three" }).broadcast();
            cx.rooms().leave("attic");
            cx.close(4000, input.text);
            Ok(cx.name)
        })
}

#[tokio::test]
async fn a_procedure_by_itself_says_what_it_would_have_done() {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| {
            Ok(User {
                name: "",
                is_admin: false,
            })
        })
        .build();
    let connection = Connection::detached(User {
        name: "Ann",
        is_admin: true,
    });
    let (ann, hub) = (connection.client_id(), connection.hub().clone());
    let payload = RawPayload::json(r#"{"text":"bye"}"#);
    let reply = clear(&zo)
        .oneshot(Message::new(connection, "clear", payload))
        .await
        .unwrap();
    assert_eq!(reply.answer.as_json(), br#""Ann""#);
    let emit = |to, text| Effect::Emit {
        to,
        event: Event::json(&Said { text }).unwrap(),
    };
    assert_eq!(
        reply.effects,
        [
            Effect::Join("attic".into()),
            emit(Target::rooms(["attic", "cellar"]), "one"),
            emit(Target::clients(vec![ann]), "two"),
            emit(Target::everyone(), "three"),
            Effect::Leave("attic".into()),
            Effect::Close(Close::new(4000, "bye")),
        ]
    );
    // And has done nothing.
    assert!(hub.rooms(&ann).is_empty());
}

#[tokio::test]
async fn a_procedure_by_itself_refuses_as_it_does_in_an_app() {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| {
            Ok(User {
                name: "",
                is_admin: false,
            })
        })
        .build();
    let call = |payload: &'static str| {
        let bob = User {
            name: "Bob",
            is_admin: false,
        };
        let message = Message::new(Connection::detached(bob), "clear", RawPayload::json(payload));
        async {
            *clear(&zo)
                .oneshot(message)
                .await
                .unwrap_err()
                .downcast::<Error>()
                .unwrap()
        }
    };
    assert_eq!(
        call(r#"{"text":"bye"}"#).await.to_string(),
        "FORBIDDEN: admins only"
    );
    let refusal = call(r#"{"text":"much too long"}"#).await;
    assert_eq!(refusal.code(), Code::BAD_REQUEST);
    assert_eq!(json!(refusal.issues())[0]["path"], json!(["text"]));
    // The context of another app is a mistake, and no panic.
    let refusal = clear(&zo).oneshot(message((), "clear")).await.unwrap_err();
    assert_eq!(refusal.downcast_ref::<Error>().unwrap().code(), Code::BAD_REQUEST);
    let payload = RawPayload::json(r#"{"text":"bye"}"#);
    let foreign = Message::new(Connection::detached(7_u8), "clear", payload);
    let refusal = clear(&zo).oneshot(foreign).await.unwrap_err();
    assert_eq!(
        refusal.downcast_ref::<Error>().unwrap().code(),
        Code::INTERNAL_SERVER_ERROR
    );
}

#[tokio::test]
async fn a_code_that_is_not_declared_is_an_internal_error() {
    const FULL: Code = Code::app("FULL");
    let zo = app();
    let full = async |_: Context<()>| Err::<(), _>(Error::new(FULL, "8 players"));
    let router = zo
        .router()
        .incoming("declared", zo.message().code(FULL).handle(full))
        .incoming("undeclared", zo.message().handle(full))
        .into_service()
        .unwrap();
    for (route, code) in [("declared", FULL), ("undeclared", Code::INTERNAL_SERVER_ERROR)] {
        let error = router.clone().oneshot(message((), route)).await.unwrap_err();
        assert_eq!(error.downcast_ref::<Error>().unwrap().code(), code, "{route}");
    }
}
