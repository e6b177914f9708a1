//! Refused handshakes have no data: the contract has none for them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use zocket::{ClientId, Code, Context, Error, NoHeaders, Refusal, Zocket};

use crate::{common::serve, extended::offer};

#[derive(Serialize, JsonSchema)]
struct Banned {
    until: &'static str,
}

impl Refusal for Banned {
    const CODE: Code = Code::app("BANNED");

    fn message(&self) -> std::borrow::Cow<'static, str> {
        "come back tomorrow".into()
    }
}

fn banned() -> Error {
    Error::refuse(Banned { until: "tomorrow" })
}

#[tokio::test]
async fn a_handshake_that_is_refused_with_data_shows_code_and_sentence() {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Err::<(), _>(banned()))
        .build();
    let server = serve(zo.serve(zo.router())).await;
    let (status, body) = server.try_connect("", &[]).await.err().expect("it is refused");
    let told = json!({ "error": "come back tomorrow", "code": "BANNED" });
    assert_eq!((status, body), (400, told));

    let (mut page, _) = offer(&server, "zocket.v1.json, zocket.refusals").await;
    let told = json!({ "code": "BANNED", "message": "come back tomorrow" });
    assert_eq!(page.event("__error").await, told);
    assert_eq!(page.closed().await, (3600, "BANNED".to_owned()));
}

#[tokio::test]
async fn an_opening_that_is_refused_with_data_closes_with_its_code() {
    let zo = Zocket::builder()
        .on_open(async |_: Context<()>| Err::<(), _>(banned()))
        .build();
    let server = serve(zo.serve(zo.router())).await;
    let mut client = super::extended(&server).await;
    assert_eq!(client.closed().await, (1008, "BANNED".to_owned()));
}
