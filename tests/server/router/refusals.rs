//! Declared refusals that contradict each other are refused with the source locations of their routes.

use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::Serialize;
use zocket::{Code, Context, Refusal, Zocket};

use super::problems::{app, assert_problem, place};

/// Declares refusals with data, and their codes.
macro_rules! refusals {
    ($($name:ident: $code:expr),*) => {$(
        #[derive(Serialize, JsonSchema)]
        struct $name {
            least: u64,
        }

        impl Refusal for $name {
            const CODE: Code = $code;
        }
    )*};
}

refusals! {
    Outbid: Code::app("OUTBID"),
    OutbidToo: Code::app("OUTBID"),
    Missing: Code::NOT_FOUND
}

#[derive(Serialize, JsonSchema)]
struct Full<T> {
    most: u64,
    #[serde(skip)]
    of: PhantomData<T>,
}

impl<T: JsonSchema + 'static> Refusal for Full<T> {
    const CODE: Code = Code::app("FULL");
}

/// Returns a procedure that declares what the calls say: `declares!(zo, refuses::<Outbid>())`.
macro_rules! declares {
    ($zo:expr $(, $method:ident $(::<$data:ty>)? ($($code:expr)?))*) => {
        $zo.message()$(.$method$(::<$data>)?($($code)?))*.handle(async |_: Context<()>| Ok(()))
    };
}

#[test]
fn a_code_with_two_types_is_refused_with_both_places() {
    let zo = app();
    let (router, first) = (
        zo.router().incoming("bid", declares!(zo, refuses::<Outbid>())),
        line!(),
    );
    let (router, second) = (
        router.incoming("sell", declares!(zo, refuses::<OutbidToo>())),
        line!(),
    );
    assert_problem(
        &zo,
        router,
        &[
            "`OUTBID`",
            "::Outbid`",
            "::OutbidToo`",
            "`bid`",
            "`sell`",
            &place(file!(), first - 1),
            &place(file!(), second - 1),
        ],
    );
}

#[test]
fn a_code_with_two_types_in_two_nests_is_refused_with_the_full_paths() {
    let zo = app();
    let lots = zo.router().incoming("bid", declares!(zo, refuses::<Outbid>()));
    let shop = zo
        .router()
        .incoming("sell", declares!(zo, refuses::<OutbidToo>()));
    let router = zo.router().nest("lots", lots).nest("shop", shop);
    assert_problem(&zo, router, &["`OUTBID`", "`lots.bid`", "`shop.sell`"]);
}

#[test]
fn a_code_with_and_without_data_is_refused_across_routes_and_within_one() {
    let zo = app();
    let router = zo
        .router()
        .incoming("bid", declares!(zo, declare_code(Outbid::CODE)))
        .incoming("sell", declares!(zo, refuses::<Outbid>()));
    assert_problem(
        &zo,
        router,
        &["`OUTBID`", "without data", "with `", "`bid`", "`sell`"],
    );
    let both = declares!(zo, refuses::<Outbid>(), declare_code(Outbid::CODE));
    let router = zo.router().incoming("bid", both);
    assert_problem(&zo, router, &["`OUTBID`", "without data", "with `", "`bid`"]);
}

#[test]
fn a_code_of_the_protocol_with_data_is_refused() {
    let zo = app();
    let (router, line) = (
        zo.router().incoming("find", declares!(zo, refuses::<Missing>())),
        line!(),
    );
    assert_problem(
        &zo,
        router,
        &[
            "`find`",
            "`NOT_FOUND`",
            "::Missing`",
            "of the protocol",
            "Code::app",
            &place(file!(), line - 1),
        ],
    );
}

#[test]
fn one_type_may_be_declared_often() {
    let zo = app();
    let builder = zo.message().refuses::<Outbid>().refuses::<Outbid>();
    let nothing = async |_: Context<()>| Ok(());
    let nest = zo.router().incoming("sell", declares!(zo, refuses::<Outbid>()));
    let router = zo
        .router()
        .incoming("bid", builder.clone().handle(nothing))
        .incoming("raise", builder.handle(nothing))
        .nest("shop", nest);
    let contract: serde_json::Value = serde_json::from_str(&router.contract().to_json()).unwrap();
    for route in ["bid", "raise", "shop.sell"] {
        let errors = &contract["incoming"][route]["errors"];
        assert_eq!(*errors, serde_json::json!(["OUTBID"]), "{contract}");
    }
    assert!(zo.try_serve(router).is_ok());
}

#[test]
fn a_generic_type_with_another_argument_is_another_type() {
    let zo: Zocket = app();
    let of = |second| {
        let router = zo
            .router()
            .incoming("enter", declares!(zo, refuses::<Full<u8>>()));
        match second {
            "u8" => router.incoming("leave", declares!(zo, refuses::<Full<u8>>())),
            _ => router.incoming("leave", declares!(zo, refuses::<Full<String>>())),
        }
    };
    assert!(zo.try_serve(of("u8")).is_ok());
    assert_problem(&zo, of("String"), &["`FULL`", "Full<u8>`", "String>`"]);
}
