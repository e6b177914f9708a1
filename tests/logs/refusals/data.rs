//! Refusals whose data is not declared: internal for the client, and in the log the mistake and its remedy.

use std::io;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use tower::util::MapErrLayer;
use zocket::{Code, Context, Error, Refusal};

use super::{State, app, builder, connect, log::Log, refusal_of};
use crate::refusals_with_data::{Outbid, OutbidToo, Sold};

const OUTBID: Code = Outbid::CODE;

/// Returns a handler that refuses with this error.
macro_rules! refuse {
    ($error:expr) => {
        async |_: Context<State>| Err::<(), _>($error)
    };
}

/// Asserts that the client learns nothing, and that the log's line for it has each of these words.
#[track_caller]
fn assert_mistake(refusal: &super::common::Refusal, log: &Log, words: &[&str]) {
    assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
    let line = log.line(refusal);
    for words in words {
        assert!(line.contains(words), "{words:?} in {line}");
    }
}

#[tokio::test]
async fn the_log_names_the_mistake_of_a_procedure_and_its_remedy() {
    let zo = app(&State::default());
    let message = || zo.message();
    let router = zo
        .router()
        .incoming(
            "undeclared",
            message().handle(refuse!(Error::refuse(Outbid { least: 3 }))),
        )
        .incoming(
            "without",
            message().refuses::<Outbid>().handle(refuse!(
                Error::new(OUTBID, "too low").with_source(io::Error::other("row 7"))
            )),
        )
        .incoming(
            "other",
            message()
                .refuses::<Outbid>()
                .handle(refuse!(Error::refuse(OutbidToo { least: 3 }))),
        )
        .incoming(
            "no_such_code",
            message()
                .refuses::<Outbid>()
                .handle(refuse!(Error::refuse(Sold { least: 3 }))),
        );
    let mut client = connect(zo.serve(router)).await;
    let log = Log::capture();
    let refusal = refusal_of(&mut client, "undeclared").await;
    assert_mistake(
        &refusal,
        &log,
        &["the procedure", "`OUTBID`", "::Outbid`", ".refuses::<"],
    );
    // The sentence and the sources of the refusal are in the log, too, since the client has neither.
    let refusal = refusal_of(&mut client, "without").await;
    let words = [
        "`OUTBID`",
        "no data",
        "::Outbid`",
        "too low",
        "row 7",
        "Error::refuse",
    ];
    assert_mistake(&refusal, &log, &words);
    let refusal = refusal_of(&mut client, "other").await;
    assert_mistake(
        &refusal,
        &log,
        &["`OUTBID`", "::OutbidToo`", "declares", "::Outbid`"],
    );
    let refusal = refusal_of(&mut client, "no_such_code").await;
    assert_mistake(&refusal, &log, &["`SOLD`", "::Sold`", ".refuses::<"]);
}

#[tokio::test]
async fn the_log_blames_a_layer_for_its_own_mistake() {
    let zo = app(&State::default());
    let without = MapErrLayer::new(|_| -> tower::BoxError { Error::new(OUTBID, "too low").into() });
    let with = MapErrLayer::new(|_| -> tower::BoxError { Error::refuse(Sold { least: 3 }).into() });
    let procedure = || {
        zo.message()
            .refuses::<Outbid>()
            .declare_code(Sold::CODE)
            .handle(refuse!(Error::refuse(Outbid { least: 3 })))
    };
    let router = zo
        .router()
        .nest("without", zo.router().incoming("it", procedure()).layer(without))
        .nest("with", zo.router().incoming("it", procedure()).layer(with));
    let mut client = connect(zo.serve(router)).await;
    let log = Log::capture();
    let refusal = refusal_of(&mut client, "without.it").await;
    assert_mistake(
        &refusal,
        &log,
        &["a layer of the router", "`OUTBID`", "no data", "::Outbid`"],
    );
    let refusal = refusal_of(&mut client, "with.it").await;
    assert_mistake(
        &refusal,
        &log,
        &[
            "a layer of the router",
            "`SOLD`",
            "no data",
            "::Sold>()` in place of `.declare_code(..)`",
        ],
    );
}

#[tokio::test]
async fn the_log_blames_a_layer_of_the_app_for_its_own_mistake() {
    let without = MapErrLayer::new(|error: tower::BoxError| -> tower::BoxError {
        Error::new(OUTBID, "too low").with_source(error).into()
    });
    let zo = builder(&State::default()).layer(without).build();
    let procedure = zo
        .message()
        .refuses::<Outbid>()
        .handle(refuse!(Error::refuse(Outbid { least: 3 })));
    let mut client = connect(zo.serve(zo.router().incoming("it", procedure))).await;
    let log = Log::capture();
    let refusal = refusal_of(&mut client, "it").await;
    let words = [
        "a layer of the app",
        "`OUTBID`",
        "no data",
        "::Outbid`",
        "Error::refuse",
        // The refusal itself, and its source.
        "OUTBID: too low",
        "OUTBID: refused with OUTBID",
        r#"route="it""#,
    ];
    assert_mistake(&refusal, &log, &words);
}

/// Wraps an error, and panics where its text is asked for.
#[derive(Debug)]
struct Speechless(Error);

impl std::fmt::Display for Speechless {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no text")
    }
}

impl std::error::Error for Speechless {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test]
async fn the_log_names_the_mistake_behind_an_error_that_panics_in_its_text() {
    let zo = app(&State::default());
    let wrap = MapErrLayer::new(|error: Error| Speechless(error));
    let procedure = zo
        .message()
        .layer(wrap)
        .handle(refuse!(Error::refuse(Outbid { least: 3 })));
    let mut client = connect(zo.serve(zo.router().incoming("it", procedure))).await;
    let log = Log::capture();
    let refusal = refusal_of(&mut client, "it").await;
    assert_mistake(
        &refusal,
        &log,
        &[
            ".refuses::<",
            "an error that panicked: no text",
            "OUTBID: refused with OUTBID",
        ],
    );
}

/// Data that can't be encoded.
#[derive(JsonSchema)]
struct Endless(f64);

impl Serialize for Endless {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl Refusal for Endless {
    const CODE: Code = Code::app("ENDLESS");
}

#[tokio::test]
async fn the_log_names_the_code_whose_data_cannot_be_encoded() {
    let zo = app(&State::default());
    let endless = zo
        .message()
        .refuses::<Endless>()
        .handle(refuse!(Error::refuse(Endless(f64::INFINITY))));
    let mut client = connect(zo.serve(zo.router().incoming("endless", endless))).await;
    let log = Log::capture();
    let refusal = refusal_of(&mut client, "endless").await;
    assert_mistake(&refusal, &log, &["`ENDLESS`", "JSON"]);
}
