//! Refusals whose values misbehave: each fails its message only, and the next one is answered.

use std::{borrow::Cow, thread, time::Duration};

use schemars::JsonSchema;
use serde::{Serialize, Serializer, ser::Error as _, ser::SerializeSeq};
use serde_json::{Value, json};
use zocket::{Code, Context, Error, Refusal, Zocket};

use super::extended;
use crate::common::{Server, serve};

/// Data that misbehaves when it is used.
#[derive(Clone, Copy, JsonSchema)]
enum Bad {
    Panics,
    PanicsHalfway,
    Fails,
    NaN,
    Sleeps,
    MessagePanics,
    DropPanics,
}

impl Bad {
    const ALL: [Self; 7] = [
        Self::Panics,
        Self::PanicsHalfway,
        Self::Fails,
        Self::NaN,
        Self::Sleeps,
        Self::MessagePanics,
        Self::DropPanics,
    ];
}

#[derive(JsonSchema)]
struct Hostile(Bad);

impl Serialize for Hostile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Bad::Panics => panic!("secret: in serialize"),
            Bad::PanicsHalfway => {
                let mut seq = serializer.serialize_seq(Some(2))?;
                seq.serialize_element("secret")?;
                panic!("secret: halfway")
            }
            Bad::Fails => Err(S::Error::custom("secret: it can't be written")),
            Bad::NaN => serializer.serialize_f64(f64::NAN),
            Bad::Sleeps => {
                thread::sleep(Duration::from_millis(50));
                serializer.serialize_str("slept")
            }
            Bad::MessagePanics | Bad::DropPanics => serializer.serialize_unit(),
        }
    }
}

impl Refusal for Hostile {
    const CODE: Code = Code::app("HOSTILE");

    fn message(&self) -> Cow<'static, str> {
        match self.0 {
            Bad::MessagePanics => panic!("secret: in message"),
            _ => "word for word".into(),
        }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        assert!(
            !matches!(self.0, Bad::DropPanics) || thread::panicking(),
            "secret: in drop"
        );
    }
}

/// Returns a server with a route for each place that can refuse, such as `handler.0`, with [`Bad::ALL`]`[0]`.
async fn site() -> Server {
    let zo = Zocket::builder().build();
    let mut router = zo
        .router()
        .incoming("here", zo.message().handle(async |_: Context<()>| Ok("here")));
    for (index, bad) in Bad::ALL.into_iter().enumerate() {
        let refuses = || zo.message().refuses::<Hostile>();
        let handler =
            refuses().handle(move |_: Context<()>| async move { Err::<(), _>(Error::refuse(Hostile(bad))) });
        let middleware = refuses()
            .with(move |_: Context<()>| async move { Err::<(), _>(Error::refuse(Hostile(bad))) })
            .handle(async |_: Context<()>| Ok(()));
        let concurrent = refuses()
            .concurrent()
            .handle(move |_: Context<()>| async move { Err::<(), _>(Error::refuse(Hostile(bad))) });
        router = router
            .incoming(&format!("handler.{index}"), handler)
            .incoming(&format!("middleware.{index}"), middleware)
            .incoming(&format!("concurrent.{index}"), concurrent);
    }
    serve(zo.serve(router)).await
}

#[tokio::test]
async fn data_that_misbehaves_fails_its_message_only() {
    let server = site().await;
    let mut client = extended(&server).await;
    for place in ["handler", "middleware", "concurrent"] {
        for (index, bad) in Bad::ALL.into_iter().enumerate() {
            let route = format!("{place}.{index}");
            let refusal = client.call(&route, Value::Null).await.unwrap_err();
            if matches!(bad, Bad::Sleeps) {
                let expected = json!({ "code": "HOSTILE", "message": "word for word", "data": "slept" });
                assert_eq!(refusal.0, expected);
            } else {
                assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR", "{route}");
                assert!(!format!("{refusal:?}").contains("secret"), "{refusal:?}");
                assert_eq!(refusal.0.get("data"), None);
            }
            assert_eq!(client.call("here", Value::Null).await, Ok(Some(json!("here"))));
        }
    }
}

const ODD_CODE: &str = "a_\"code\"\\_with_\u{85}_\u{2028}_é";

#[derive(Serialize, JsonSchema)]
struct OddCode;

impl Refusal for OddCode {
    const CODE: Code = Code::app(ODD_CODE);

    fn message(&self) -> Cow<'static, str> {
        "a \"sentence\"\r\nwith lines\0".into()
    }
}

#[tokio::test]
async fn a_code_of_odd_characters_is_sent_as_it_is() {
    let zo = Zocket::builder().build();
    let odd = async |_: Context<()>| Err::<(), _>(Error::refuse(OddCode));
    let plain = async |_: Context<()>| Err::<(), _>(Error::new(Code::app(ODD_CODE), "as asked for"));
    let router = zo
        .router()
        .incoming("odd", zo.message().refuses::<OddCode>().handle(odd))
        .incoming("undeclared", zo.message().handle(plain));
    let server = serve(zo.serve(router)).await;
    let mut client = extended(&server).await;
    let refusal = client.call("odd", Value::Null).await.unwrap_err();
    let expected = json!({ "code": ODD_CODE, "message": "a \"sentence\"\r\nwith lines\0", "data": null });
    assert_eq!(refusal.0, expected);
    let refusal = client.call("undeclared", Value::Null).await.unwrap_err();
    assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
}

/// A list in a list, and so on.
struct Deep(usize);

impl Serialize for Deep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        if self.0 > 0 {
            seq.serialize_element(&Self(self.0 - 1))?;
        }
        seq.end()
    }
}

impl JsonSchema for Deep {
    fn schema_name() -> Cow<'static, str> {
        "Deep".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "array", "items": true })
    }
}

impl Refusal for Deep {
    const CODE: Code = Code::app("DEEP");
}

/// serde_json reads 128 levels. Data is written and passed on without such a limit, as answers are.
#[tokio::test]
async fn data_may_be_nested_deeper_than_serde_json_reads() {
    const DEPTH: usize = 500;
    let zo = Zocket::builder().build();
    let deep = async |_: Context<()>| Err::<(), _>(Error::refuse(Deep(DEPTH)));
    let router = zo
        .router()
        .incoming("deep", zo.message().refuses::<Deep>().handle(deep));
    let server = serve(zo.serve(router)).await;
    let mut client = extended(&server).await;
    client
        .send(json!({ "type": "deep", "payload": null, "rpcId": "deep" }))
        .await;
    let frame = futures_util::StreamExt::next(&mut client.socket)
        .await
        .unwrap()
        .unwrap();
    let nested = "[".repeat(DEPTH + 1) + &"]".repeat(DEPTH + 1);
    let expected = format!(
        r#"{{"type":"__rpc_err","rpcId":"deep","error":{{"code":"DEEP","message":"refused with DEEP","data":{nested}}}}}"#
    );
    assert_eq!(frame.into_text().unwrap().as_str(), expected);
}
