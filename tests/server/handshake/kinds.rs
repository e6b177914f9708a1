//! Connect headers of each type: numbers, booleans and enums are parsed from their text, and types that no text can hold
//! are refused when the app is served.

use std::collections::{BTreeMap, HashMap};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use zocket::{ClientId, Context, Contract, ServeError, Zocket};

use super::{
    common::{Server, serve},
    received,
};

/// Returns an app with a route that answers its connect headers.
fn app<H>() -> (Zocket<H>, zocket::Router<H>)
where
    H: DeserializeOwned + Serialize + JsonSchema + Validate<Context: Default> + Clone + Send + Sync + 'static,
{
    let zo = Zocket::builder()
        .on_connect(async |headers: H, _: ClientId| Ok(headers))
        .build();
    let procedure = zo.message().handle(async |cx: Context<H>| Ok(H::clone(&cx)));
    let router = zo.router().incoming("headers", procedure);
    (zo, router)
}

fn contract<H>() -> Contract
where
    H: DeserializeOwned + Serialize + JsonSchema + Validate<Context: Default> + Clone + Send + Sync + 'static,
{
    app::<H>().1.contract()
}

fn problems<H>() -> Result<(), ServeError>
where
    H: DeserializeOwned + Serialize + JsonSchema + Validate<Context: Default> + Clone + Send + Sync + 'static,
{
    let (zo, router) = app::<H>();
    zo.try_serve(router).map(drop)
}

macro_rules! headers {
    ($($(#[$meta:meta])* $kind:ident $name:ident $body:tt)*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
        #[garde(allow_unvalidated)]
        $(#[$meta])*
        $kind $name $body
    )*};
}

macro_rules! tuples {
    ($($name:ident ($($type:ty),*)),*) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
        #[garde(allow_unvalidated)]
        struct $name($($type),*);
    )*};
}

headers! {
    enum Colour { Red, #[serde(rename = "dark green")] Green }
    /// With a comment on a variant, which schemars writes differently.
    #[serde(rename_all = "lowercase")]
    enum Mode { /** Reads. */ Read, Write }
    #[serde(rename_all = "kebab-case")]
    struct Kinds {
        room: u32,
        offset: i64,
        size: usize,
        ratio: f64,
        flag: bool,
        colour: Colour,
        mode: Option<Mode>,
        maybe_room: Option<u32>,
        maybe_flag: Option<bool>,
        #[serde(default = "seven")] level: u8,
        #[garde(range(min = 1, max = 9))] page: Option<u8>,
        letter: Option<char>,
        text: Option<String>,
        id: Option<uuid::Uuid>,
        at: Option<chrono::DateTime<chrono::Utc>>,
        wrapped: Option<Wrapped>,
        wide: Option<u128>,
    }
}

tuples! { Wrapped(u16) }

fn seven() -> u8 {
    7
}

const REQUIRED: &str = "room=4&offset=-5&size=6&ratio=0.5&flag=true&colour=Red";

async fn site() -> Server {
    let (zo, router) = app::<Kinds>();
    serve(zo.serve(router)).await
}

#[tokio::test]
async fn numbers_booleans_and_enums_are_parsed_from_query_parameters_and_fields() {
    let server = site().await;
    let least = received(&server, REQUIRED, &[]).await;
    for (name, value) in [
        ("room", json!(4)),
        ("offset", json!(-5)),
        ("size", json!(6)),
        ("ratio", json!(0.5)),
        ("flag", json!(true)),
        ("colour", json!("Red")),
        ("mode", Value::Null),
        ("maybe-room", Value::Null),
        ("maybe-flag", Value::Null),
        ("level", json!(7)),
        ("page", Value::Null),
    ] {
        assert_eq!(least[name], value, "{name}");
    }
    let fields = [
        ("room", "4"),
        ("offset", "0"),
        ("size", "0"),
        ("ratio", "1e-3"),
        ("flag", "false"),
        ("colour", "dark green"),
        ("Mode", "write"),
        ("maybe-room", "0"),
        ("maybe-flag", "false"),
        ("level", "0"),
        ("page", "9"),
        ("letter", "7"),
        ("text", "12"),
        ("wrapped", "65535"),
    ];
    let all = received(&server, "", &fields).await;
    for (name, value) in [
        ("ratio", json!(0.001)),
        ("flag", json!(false)),
        ("colour", json!("dark green")),
        ("mode", json!("write")),
        ("maybe-room", json!(0)),
        ("maybe-flag", json!(false)),
        ("level", json!(0)),
        ("page", json!(9)),
        // A text stays one, whatever it looks like.
        ("letter", json!("7")),
        ("text", json!("12")),
        ("wrapped", json!(65535)),
    ] {
        assert_eq!(all[name], value, "{name}");
    }
    for text in ["true", "null", "{}", "[1]", "\"", ""] {
        let query = format!("{REQUIRED}&text={}", text.replace('"', "%22"));
        assert_eq!(received(&server, &query, &[]).await["text"], text);
    }
}

#[tokio::test]
async fn what_a_javascript_client_writes_for_a_value_is_parsed() {
    let server = site().await;
    // `String(value)` of each: the largest exact integer, a large and a small fraction, negative zero, a date.
    let query = "room=4294967295&offset=-9007199254740991&size=9007199254740991&ratio=1e%2B21&flag=false&colour=Red\
                 &id=00000000-0000-0000-0000-000000000000&at=2026-11-26T17:00:00Z&wide=340282366920938463463374607431768211455";
    let all = received(&server, query, &[]).await;
    assert_eq!(
        (&all["room"], &all["offset"], &all["ratio"]),
        (
            &json!(4_294_967_295_u64),
            &json!(-9_007_199_254_740_991_i64),
            &json!(1e21)
        )
    );
    assert_eq!(
        received(&server, &REQUIRED.replace("0.5", "1.5e-7"), &[]).await["ratio"],
        json!(1.5e-7)
    );
    assert_eq!(
        received(&server, &REQUIRED.replace("0.5", "-0"), &[]).await["ratio"],
        json!(-0.0)
    );
    assert_eq!(
        received(&server, &REQUIRED.replace("0.5", "3"), &[]).await["ratio"],
        json!(3.0)
    );
}

#[tokio::test]
async fn texts_of_another_type_are_refused_with_their_path() {
    let server = site().await;
    for (name, text) in [
        ("room", "four"),
        ("room", ""),
        ("room", "-1"),
        ("room", "4294967296"),
        ("room", "4.5"),
        ("room", "0x10"),
        ("room", "true"),
        ("room", "null"),
        ("room", "4,5"),
        ("room", "[4]"),
        ("room", "%224%22"),
        ("room", "4+4"),
        ("room", "%204"),
        ("ratio", "NaN"),
        ("ratio", "Infinity"),
        ("flag", "1"),
        ("flag", "TRUE"),
        ("flag", ""),
        ("colour", "Blue"),
        ("colour", "0"),
        ("mode", "READ"),
        ("maybe-room", ""),
        ("maybe-room", "null"),
        ("maybe-flag", "yes"),
        ("page", "10"),
        ("wrapped", "65536"),
    ] {
        let (status, body) = server
            .try_connect(&format!("{REQUIRED}&{name}={text}"), &[])
            .await
            .err()
            .expect(text);
        assert_eq!(status, 400, "{name}={text}: {body}");
        let details = body["details"].as_array().unwrap();
        assert_eq!(details.len(), 1, "{name}={text}: {body}");
        assert_eq!(details[0]["path"], json!([name]), "{text}: {body}");
    }
    // All issues arrive together.
    let (_, body) = server
        .try_connect("room=x&offset=x&size=x&ratio=x&flag=x&colour=x", &[])
        .await
        .err()
        .unwrap();
    assert_eq!(body["details"].as_array().unwrap().len(), 6, "{body}");
}

#[test]
fn the_clients_type_says_what_to_pass() {
    let text = contract::<Kinds>().typescript();
    for line in [
        "room: number;",
        "flag: boolean;",
        "\"maybe-room\"?: number | null",
        "level?: number",
        "colour: Colour;",
        "ratio: number;",
    ] {
        assert!(text.contains(&format!("  {line}")), "{line} is not in {text}");
    }
}

mod refused {
    use super::*;

    headers! {
        struct List { tags: Vec<String> }
        struct MaybeList { tags: Option<Vec<u8>> }
        struct Pair { pair: (u8, u8) }
        struct Array { array: [u8; 2] }
        struct Object { inner: Inner }
        struct Inner { a: u8 }
        struct MaybeObject { inner: Option<Box<Inner>> }
        struct Map { map: BTreeMap<String, String> }
        enum Choice { Unit, Text(String) }
        struct External { choice: Choice }
        #[serde(tag = "kind")]
        enum Tagged { A, B { b: u8 } }
        struct Internal { choice: Option<Tagged> }
        struct Nothing { nothing: () }
        #[serde(untagged)]
        enum Either { Number(u8), Text(String) }
        struct Mixed { either: Either }
        #[serde(untagged)]
        enum NumberOrList { Number(u8), List(Vec<u8>) }
        struct MixedList { either: NumberOrList }
        struct Lasting { lasting: std::time::Duration }
        struct Several { fine: u8, tags: Vec<String>, map: HashMap<String, u8> }
        struct Flat { fine: u8, #[serde(flatten)] list: List }
        struct Rest { fine: u8, #[serde(flatten)] rest: HashMap<String, String> }
        #[serde(tag = "kind")]
        enum Variants { A { x: u8 }, B { x: Vec<u8> } }
        struct Cased { #[serde(rename = "X-Room")] room: String, #[serde(rename = "x-room")] other: Option<String>, more: u8 }
        struct CasedFlat { name: String, #[serde(flatten)] more: CasedMore }
        struct CasedMore { #[serde(rename = "Name")] name: Option<String> }
        #[serde(tag = "kind")]
        enum CasedVariants { A { token: String }, B { #[serde(rename = "Token")] token: String } }
    }
    tuples! { Whole(u8), Tuple(u8, u8), Items(Vec<u8>), Names(BTreeMap<String, String>) }

    macro_rules! assert_refused {
        ($($type:ty: $($words:literal),+;)*) => {$({
            let error = problems::<$type>().expect_err(stringify!($type)).to_string();
            for words in [$($words),+, "connect header"] {
                assert!(error.contains(words), "{}: {words} is not in {error}", stringify!($type));
            }
        })*};
    }

    #[test]
    fn types_that_no_text_can_hold_are_refused_with_a_sentence() {
        assert_refused! {
            List: "`tags`", "an array";
            MaybeList: "`tags`", "an array";
            Pair: "`pair`", "an array";
            Array: "`array`", "an array";
            Object: "`inner`", "an object";
            MaybeObject: "`inner`", "an object";
            Map: "`map`", "an object";
            External: "`choice`", "an object";
            Internal: "`choice`", "an object";
            Nothing: "`nothing`", "only null";
            Mixed: "`either`", "a number", "a string";
            MixedList: "`either`", "an array";
            Lasting: "`lasting`", "an object";
            Several: "`tags`", "`map`";
            Flat: "`tags`";
            Rest: "any name";
            Variants: "`x`", "an array";
            Cased: "`X-Room` and `x-room` differ only by case";
            CasedFlat: "`Name` and `name` differ only by case";
            CasedVariants: "`Token` and `token` differ only by case";
            Whole: "a struct", "a number";
            Tuple: "a struct", "an array";
            Items: "a struct", "an array";
            Names: "any name";
            (): "a struct", "NoHeaders";
        }
    }

    #[test]
    fn every_way_to_serve_refuses_them() {
        let (zo, router) = app::<List>();
        assert!(
            zo.try_serve_with(router, |routes| {
                use zocket::layers::{DecodeLayer, RescueLayer};
                tower::ServiceBuilder::new()
                    .layer(DecodeLayer::json())
                    .layer(RescueLayer::new())
                    .service(routes)
            })
            .unwrap_err()
            .to_string()
            .contains("`tags`")
        );
        let echo = tower::service_fn(async |frame: zocket::layers::Frame| {
            Ok::<_, std::convert::Infallible>(frame.into_data())
        });
        assert!(
            zo.try_serve_stack(echo)
                .unwrap_err()
                .to_string()
                .contains("`tags`")
        );
    }

    headers! {
        struct Fine { a: Option<Option<u8>>, b: Box<bool>, c: std::net::IpAddr, #[serde(flatten)] more: More, d: Option<std::num::NonZeroU8> }
        struct More { e: i8, f: Option<Colour> }
        #[serde(tag = "kind", rename_all = "lowercase")]
        enum Kind { Guest { name: String }, Bot { level: u8 } }
        struct NoMembers {}
    }
    tuples! { Through(More) }

    #[tokio::test]
    async fn nested_options_flattened_members_and_variants_are_parsed() {
        let (zo, router) = app::<Fine>();
        let server = serve(zo.serve(router)).await;
        let all = received(&server, "a=1&b=false&c=127.0.0.1&e=-8&f=Red&d=3", &[]).await;
        assert_eq!(
            all,
            json!({ "a": 1, "b": false, "c": "127.0.0.1", "e": -8, "f": "Red", "d": 3 })
        );
        let (zo, router) = app::<Kind>();
        let server = serve(zo.serve(router)).await;
        assert_eq!(
            received(&server, "kind=bot&level=4", &[]).await,
            json!({ "kind": "bot", "level": 4 })
        );
        assert_eq!(
            received(&server, "kind=guest&name=4", &[]).await,
            json!({ "kind": "guest", "name": "4" })
        );
        let (zo, router) = app::<Through>();
        let server = serve(zo.serve(router)).await;
        assert_eq!(received(&server, "e=1", &[]).await["e"], 1);
        assert!(problems::<NoMembers>().is_ok());
        assert!(problems::<Option<More>>().is_ok());
    }
}
