//! Routes that refuse with data, as app.md describes them.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{Code, Error, Refusal, Router, Zocket};

use crate::app::{Cx, ROOM_FULL, Said, User};

/// A bid was too low.
#[derive(Clone, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Outbid {
    #[garde(skip)]
    pub least: u64,
}

#[derive(Serialize, JsonSchema)]
struct OutbidToo {
    least: String,
}

#[derive(Serialize, JsonSchema)]
struct RoomFull {
    most: u64,
}

#[derive(Serialize, JsonSchema)]
struct Null;

#[derive(Serialize, JsonSchema)]
struct Large(String);

#[derive(Serialize, JsonSchema)]
struct Infinite(f64);

/// Implements `Refusal` with a code.
macro_rules! refusals {
    ($($data:ty: $code:expr,)*) => {$(
        impl Refusal for $data {
            const CODE: Code = $code;
        }
    )*};
}

refusals! {
    Outbid: Code::app("OUTBID"),
    OutbidToo: Outbid::CODE,
    RoomFull: ROOM_FULL,
    Null: Code::app("NULL"),
    Large: Code::app("LARGE"),
    Infinite: Code::app("INFINITE"),
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Size {
    bytes: usize,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Sends {
    text: String,
}

async fn outbid(_: Cx, data: Outbid) -> Result<(), Error> {
    Err(Error::refuse(data))
}

async fn sends(cx: Cx, Sends { text }: Sends) -> Result<(), Error> {
    cx.send(Said(text)).to([cx.client_id()]);
    Err(Error::refuse(Outbid { least: 1 }))
}

/// Returns the routes of `data`.
pub fn router(zo: &Zocket<User>) -> Router<User> {
    let message = || zo.message();
    zo.router()
        .incoming(
            "outbid",
            message().refuses::<Outbid>().input::<Outbid>().handle(outbid),
        )
        .incoming(
            "guarded",
            message()
                .refuses::<Outbid>()
                .input::<Outbid>()
                .with_input(async |_: Cx, data: Outbid| Err::<(User, Outbid), _>(Error::refuse(data)))
                .handle(async |_: Cx| Ok(())),
        )
        .incoming(
            "null",
            message()
                .refuses::<Null>()
                .handle(async |_: Cx| Err::<(), _>(Error::refuse(Null))),
        )
        .incoming(
            "large",
            message()
                .refuses::<Large>()
                .input::<Size>()
                .handle(async |_: Cx, size: Size| Err::<(), _>(Error::refuse(Large("x".repeat(size.bytes))))),
        )
        .incoming(
            "sends",
            message().refuses::<Outbid>().input::<Sends>().handle(sends),
        )
        .incoming(
            "atomic",
            message()
                .atomic()
                .refuses::<Outbid>()
                .input::<Sends>()
                .handle(sends),
        )
        .nest("wrong", mistakes(zo))
}

/// Returns the routes whose refusals are not those that they declare.
fn mistakes(zo: &Zocket<User>) -> Router<User> {
    let message = || zo.message();
    zo.router()
        .incoming(
            "none",
            message()
                .refuses::<Outbid>()
                .handle(async |_: Cx| Err::<(), _>(Error::new(Outbid::CODE, "as asked for"))),
        )
        .incoming(
            "other",
            message().refuses::<Outbid>().handle(async |_: Cx| {
                let least = "1".to_owned();
                Err::<(), _>(Error::refuse(OutbidToo { least }))
            }),
        )
        .incoming(
            "extra",
            message()
                .declare_code(ROOM_FULL)
                .handle(async |_: Cx| Err::<(), _>(Error::refuse(RoomFull { most: 8 }))),
        )
        .incoming(
            "undeclared",
            message().handle(async |_: Cx| Err::<(), _>(Error::refuse(Outbid { least: 1 }))),
        )
        .incoming(
            "infinite",
            message()
                .refuses::<Infinite>()
                .handle(async |_: Cx| Err::<(), _>(Error::refuse(Infinite(f64::INFINITY)))),
        )
}
