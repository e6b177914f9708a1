//! Data on the wire: its forms, its size, and the number of times that it is encoded.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use zocket::{Code, Context, Error, Limits, Refusal, Zocket};

use super::extended;
use crate::common::serve;

/// Declares a refusal with the code `ODD`, and an app with the route `odd` that refuses with this value.
macro_rules! refusing {
    ($data:ty, $value:expr) => {{
        let zo = Zocket::builder().build();
        let odd = zo
            .message()
            .refuses::<$data>()
            .handle(async |_: Context<()>| Err::<(), _>(Error::refuse($value)));
        serve(zo.serve(zo.router().incoming("odd", odd))).await
    }};
}

/// Implements `Refusal` with the code `ODD`.
macro_rules! odd {
    ($($data:ty),*) => {$(
        impl Refusal for $data {
            const CODE: Code = Code::app("ODD");
        }
    )*};
}

#[derive(Serialize, JsonSchema)]
struct Unit;

#[derive(Serialize, JsonSchema)]
struct Nothing(Option<u8>);

#[derive(Serialize, JsonSchema)]
enum Choice {
    None,
    Some { of: Vec<String> },
}

#[derive(Serialize, JsonSchema)]
struct Members {
    r#type: &'static str,
    #[serde(rename = "rpcId")]
    rpc_id: &'static str,
    code: &'static str,
    data: BTreeMap<String, Value>,
    text: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct Nested<T> {
    inner: Vec<Option<T>>,
}

odd!(Unit, Nothing, Choice, Members, Nested<Nested<u8>>);

#[tokio::test]
async fn data_of_any_form_is_sent_as_serde_writes_it() {
    let forms = [
        (refusing!(Unit, Unit), json!(null)),
        (refusing!(Nothing, Nothing(None)), json!(null)),
        (refusing!(Choice, Choice::None), json!("None")),
        (
            refusing!(Choice, Choice::Some { of: vec![] }),
            json!({ "Some": { "of": [] } }),
        ),
        (
            refusing!(
                Nested<Nested<u8>>,
                Nested {
                    inner: vec![None, Some(Nested { inner: vec![Some(1)] })]
                }
            ),
            json!({ "inner": [null, { "inner": [1] }] }),
        ),
    ];
    for (server, data) in forms {
        let refusal = extended(&server)
            .await
            .call("odd", Value::Null)
            .await
            .unwrap_err();
        let expected = json!({ "code": "ODD", "message": "refused with ODD", "data": data });
        assert_eq!(refusal.0, expected);
    }
}

fn members() -> Members {
    Members {
        r#type: "__rpc_res",
        rpc_id: "id-1",
        code: "FORBIDDEN",
        data: [("data".to_owned(), json!(1))].into(),
        text: "\"}],\"rpcId\":\"id-1\"\u{2028}\u{0}</script>",
    }
}

#[tokio::test]
async fn members_of_data_that_are_called_like_the_frames_stay_in_it() {
    let server = refusing!(Members, members());
    let mut client = extended(&server).await;
    let data = serde_json::to_value(members()).unwrap();
    let refusal = client.call("odd", Value::Null).await.unwrap_err();
    assert_eq!((refusal.code(), &refusal.0["data"]), ("ODD", &data));
    client.send(json!({ "type": "odd" })).await;
    let error = client.event("__error").await;
    assert_eq!(
        error,
        json!({ "type": "odd", "code": "ODD", "message": "refused with ODD", "data": data })
    );
}

/// Data that counts the times that it is encoded.
#[derive(JsonSchema)]
struct Counted(#[schemars(skip)] Arc<AtomicUsize>);

odd!(Counted);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(1 + self.0.fetch_add(1, Ordering::SeqCst) as u64)
    }
}

#[tokio::test]
async fn data_is_encoded_once_however_it_is_sent() {
    let zo = Zocket::builder().build();
    let count = Arc::new(AtomicUsize::new(0));
    let odd = {
        let count = count.clone();
        move |_: Context<()>| {
            let count = count.clone();
            async move { Err::<(), _>(Error::refuse(Counted(count))) }
        }
    };
    let odd = zo.message().refuses::<Counted>().handle(odd);
    let server = serve(zo.serve(zo.router().incoming("odd", odd))).await;
    let (mut base, mut extended) = (server.connect("").await, extended(&server).await);
    let refusal = base.call("odd", Value::Null).await.unwrap_err();
    assert_eq!(refusal.0.get("data"), None);
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let refusal = extended.call("odd", Value::Null).await.unwrap_err();
    assert_eq!(refusal.0["data"], 2);
    extended.send(json!({ "type": "odd" })).await;
    assert_eq!(extended.event("__error").await["data"], 3);
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

/// Data of a size, and a sentence of a size.
#[derive(Serialize, JsonSchema)]
struct Large(String, #[serde(skip)] usize);

impl Refusal for Large {
    const CODE: Code = Code::app("LARGE");

    fn message(&self) -> std::borrow::Cow<'static, str> {
        "x".repeat(self.1).into()
    }
}

#[tokio::test]
async fn a_refusal_whose_frame_is_over_the_limit_for_its_data_is_replaced_on_the_extended_protocol() {
    let zo = Zocket::builder().limits(Limits::default().message(1_000)).build();
    let large = |data, message| {
        zo.message()
            .refuses::<Large>()
            .handle(move |_: Context<()>| async move {
                Err::<(), _>(Error::refuse(Large("x".repeat(data), message)))
            })
    };
    let router = zo
        .router()
        .incoming("data", large(1_000, 1))
        .incoming("message", large(1, 1_000))
        .incoming("both", large(400, 400));
    let server = serve(zo.serve(router)).await;
    let (mut base, mut extended) = (server.connect("").await, extended(&server).await);
    for (route, code) in [
        ("data", "PAYLOAD_TOO_LARGE"),
        ("message", "PAYLOAD_TOO_LARGE"),
        ("both", "LARGE"),
    ] {
        let refusal = extended.call(route, Value::Null).await.unwrap_err();
        assert_eq!(refusal.code(), code, "{route}: {refusal:?}");
        assert_eq!(refusal.0.get("data").is_some(), code == "LARGE");
        extended.send(json!({ "type": route })).await;
        let error = extended.event("__error").await;
        assert_eq!((&error["type"], &error["code"]), (&json!(route), &json!(code)));
        // The base protocol has no data, so nothing of it is too large.
        let refusal = base.call(route, Value::Null).await.unwrap_err();
        assert_eq!(refusal.code(), "LARGE", "{route}: {refusal:?}");
    }
}
