//! The app of this target. It records the headers that `on_connect` receives.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use zocket::{ClientId, Context, Error, Origins, Zocket, testing::TestApp};

use super::model::number;

#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub(super) struct Headers {
    name: Option<String>,
    #[serde(rename = "x-user-id")]
    user: Option<String>,
    ratio: Option<f64>,
    flag: Option<bool>,
    cookie: Option<String>,
}

impl Headers {
    /// Creates the headers that these texts make.
    pub(super) fn of(texts: &BTreeMap<&str, Result<String, ()>>) -> Self {
        let text = |name| texts.get(name).and_then(|text| text.clone().ok());
        Self {
            name: text("name"),
            user: text("x-user-id"),
            ratio: text("ratio").and_then(|ratio| number(&ratio)),
            flag: text("flag").map(|flag| flag == "true"),
            cookie: text("cookie"),
        }
    }
}

/// The calls of the app's callbacks.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) connected: Mutex<Vec<(ClientId, Headers)>>,
    pub(super) departed: Mutex<Vec<ClientId>>,
}

pub(super) fn app(seen: &Arc<Seen>) -> (Zocket<()>, TestApp) {
    let departed = seen.clone();
    let zo = Zocket::builder()
        .on_connect_with(
            seen.clone(),
            async |seen: Arc<Seen>, headers: Headers, id: ClientId| {
                if headers.name.as_deref() == Some("nobody") {
                    return Err(Error::unauthorized("who is it?"));
                }
                seen.connected.lock().unwrap().push((id, headers));
                Ok(())
            },
        )
        .on_disconnect(move |cx: Context<()>| {
            departed.departed.lock().unwrap().push(cx.client_id());
            async {}
        })
        .origins(Origins::list(["https://app.test"]).unwrap())
        .build();
    let who = zo
        .message()
        .handle(async |cx: Context<()>| Ok::<_, Error>(cx.client_id()));
    let app = TestApp::new(zo.serve(zo.router().incoming("who", who)));
    (zo, app)
}
