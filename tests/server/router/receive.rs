//! Messages as types: their names in the router, and the procedures that receive them.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower::ServiceExt;
use zocket::{Connection, Context, Error, Incoming, Message, RawPayload, Zocket};

use super::problems::{app, assert_problem, place};

/// Declares incoming messages with these names.
macro_rules! incoming {
    ($($name:ident: $route:literal),*) => {$(
        #[derive(Serialize, Deserialize, JsonSchema, Validate)]
        struct $name {
            #[garde(range(max = 100))]
            cents: u64,
        }

        impl Incoming for $name {
            const TYPE: &'static str = $route;
            type Answer = u64;
        }
    )*};
}

incoming! {
    Bid: "lots.bid",
    Deep: "shop.lots.bid",
    Whole: "lots",
    Letters: "lotsof.bids",
    Hole: "lots..bid",
    Open: "lots.",
    Nothing: "",
    Reserved: "__bid"
}

/// Returns a procedure that receives this type.
macro_rules! receiving {
    ($zo:expr, $message:ident) => {
        $zo.message()
            .input::<$message>()
            .handle(async |_: Context<()>, message: $message| Ok(message.cents))
    };
}

#[tokio::test]
async fn a_message_is_received_by_its_full_name_in_any_nest() {
    let zo = app();
    // The compiler finds the message by the input.
    let lots = || zo.router().receive(receiving!(zo, Bid));
    let shop = zo
        .router()
        .nest("lots", zo.router().receive::<Deep>(receiving!(zo, Deep)));
    let nested = zo.router().nest("lots", lots()).nest("shop", shop);
    for (router, route) in [
        (lots(), "lots.bid"),
        (nested, "lots.bid"),
        (
            zo.router().nest(
                "shop",
                zo.router()
                    .nest("lots", zo.router().receive::<Deep>(receiving!(zo, Deep))),
            ),
            "shop.lots.bid",
        ),
    ] {
        let service = router.into_service().unwrap();
        let payload = RawPayload::json(json!({ "cents": 7 }).to_string());
        let message = Message::new(Connection::detached(()), route, payload);
        let reply = service.oneshot(message).await.unwrap();
        assert_eq!(reply.answer.as_json(), b"7");
    }
}

#[tokio::test]
async fn a_received_message_is_validated() {
    let zo = app();
    let router = zo.router().receive::<Bid>(receiving!(zo, Bid));
    let payload = RawPayload::json(json!({ "cents": 101 }).to_string());
    let message = Message::new(Connection::detached(()), "lots.bid", payload);
    let error = router.into_service().unwrap().oneshot(message).await.unwrap_err();
    let issues = error.downcast_ref::<Error>().unwrap().issues();
    assert_eq!(issues.len(), 1, "{issues:?}");
}

#[test]
fn a_type_outside_of_its_nest_is_refused_with_its_place() {
    let zo = app();
    for nest in ["auction", "lot", "lots.bid.more"] {
        let (inner, line) = (zo.router().receive::<Bid>(receiving!(zo, Bid)), line!());
        let router = zo.router().nest(nest, inner);
        let nest = format!("`{nest}`");
        assert_problem(
            &zo,
            router,
            &[
                "`lots.bid`",
                "prefix",
                &nest,
                &place(file!(), line),
                "begin with",
                "outside of the nest",
            ],
        );
    }
    // Each nest counts, the outer ones, too.
    let (inner, line) = (zo.router().receive::<Bid>(receiving!(zo, Bid)), line!());
    let router = zo.router().nest("shop", zo.router().nest("lots", inner));
    assert_problem(&zo, router, &["`lots.bid`", "`shop.lots`", &place(file!(), line)]);
    let (inner, line) = (zo.router().receive::<Letters>(receiving!(zo, Letters)), line!());
    let router = zo.router().nest("lots", inner);
    assert_problem(&zo, router, &["`lotsof.bids`", "`lots`", &place(file!(), line)]);
}

#[test]
fn a_nest_whose_name_is_the_whole_type_is_refused_once_with_both_places() {
    let zo = app();
    let (inner, route) = (zo.router().receive::<Whole>(receiving!(zo, Whole)), line!());
    let (router, nest) = (zo.router().nest("lots", inner), line!());
    assert_problem(
        &zo,
        router,
        &["`lots`", &place(file!(), route), &place(file!(), nest)],
    );
}

#[test]
fn a_type_with_an_empty_segment_is_refused_with_its_place() {
    let zo = app();
    let (router, line) = (zo.router().receive::<Hole>(receiving!(zo, Hole)), line!());
    assert_problem(
        &zo,
        router,
        &["`lots..bid`", "empty segment", &place(file!(), line)],
    );
    let (router, line) = (zo.router().receive::<Open>(receiving!(zo, Open)), line!());
    assert_problem(&zo, router, &["`lots.`", "empty segment", &place(file!(), line)]);
    let (router, line) = (zo.router().receive::<Nothing>(receiving!(zo, Nothing)), line!());
    assert_problem(&zo, router, &["``", "empty segment", &place(file!(), line)]);
}

#[test]
fn a_type_that_begins_like_the_protocols_is_refused_with_its_place() {
    let zo = app();
    let (router, line) = (zo.router().receive::<Reserved>(receiving!(zo, Reserved)), line!());
    assert_problem(&zo, router, &["`__bid`", "reserved", &place(file!(), line)]);
}

#[test]
fn a_type_that_is_received_twice_is_refused_with_both_places() {
    let zo: Zocket = app();
    let (router, first) = (zo.router().receive::<Bid>(receiving!(zo, Bid)), line!());
    let (router, second) = (router.receive::<Bid>(receiving!(zo, Bid)), line!());
    let (first, second) = (place(file!(), first), place(file!(), second));
    assert_problem(&zo, router, &["`lots.bid`", "twice", &first, &second]);
    // By its name as well, in another nest.
    let (router, first) = (zo.router().receive::<Bid>(receiving!(zo, Bid)), line!());
    let (lots, second) = (zo.router().incoming("bid", receiving!(zo, Bid)), line!());
    let (first, second) = (place(file!(), first), place(file!(), second));
    assert_problem(
        &zo,
        router.nest("lots", lots),
        &["`lots.bid`", "twice", &first, &second],
    );
}
