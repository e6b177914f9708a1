//! What a server must survive: after each attack it is up, a bystander has noticed nothing, and nothing is left.
#![allow(
    clippy::unwrap_used,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{
    Client, PATIENCE, Server,
    raw::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Raw, TEXT, frame, handshake, head},
    serve_by, until,
};
use futures_util::{SinkExt, StreamExt, future::join_all};
use garde::Validate;
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, time::timeout};
use tokio_tungstenite::tungstenite;
use zocket::{ClientId, Context, Error, Limits, LocalHub, Outgoing, Zocket};

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[serde(default)]
    #[garde(skip)]
    panic: String,
}

/// What this client's stay does wrong.
struct Visitor {
    panic: String,
    counts: Counts,
}

impl Visitor {
    fn panic_in(&self, place: &str) {
        assert!(self.panic != place, "as asked for, in {place}");
    }
}

#[derive(Clone)]
struct Counts {
    connected: Arc<AtomicUsize>,
    disconnected: Arc<AtomicUsize>,
    begun: Arc<Semaphore>,
}

#[derive(Serialize, JsonSchema)]
struct Noise(String);

impl Outgoing for Noise {
    const TYPE: &'static str = "noise";
}

#[derive(Deserialize, Serialize, JsonSchema, Validate)]
struct Small {
    #[garde(skip)]
    n: u8,
}

#[derive(Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Numbers {
    #[serde(skip_serializing_if = "Option::is_none")]
    natural: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integer: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    float: Option<f64>,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Room {
    room: String,
}

#[derive(Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Anything {
    any: Value,
}

#[derive(Deserialize, Serialize, JsonSchema, Validate)]
struct Texts {
    #[garde(inner(length(chars, min = 1)))]
    texts: Vec<String>,
}

/// A server, a hub that is looked into, and a client that has nothing to do with the attack.
struct Site {
    zo: Zocket<Visitor>,
    hub: Arc<LocalHub>,
    counts: Counts,
    server: Server,
    bystander: Client,
}

impl Site {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        Self::served(limits, http1::Builder::new()).await
    }

    async fn served(limits: Limits, http: http1::Builder) -> Self {
        let hub = Arc::new(LocalHub::with_limits(&limits));
        let counts = Counts {
            connected: Arc::default(),
            disconnected: Arc::default(),
            begun: Arc::new(Semaphore::new(0)),
        };
        let zo = Zocket::builder()
            .on_connect_with(
                counts.clone(),
                async |counts: Counts, Headers { panic }: Headers, _: ClientId| {
                    let visitor = Visitor { panic, counts };
                    visitor.panic_in("on_connect");
                    visitor.counts.connected.fetch_add(1, Ordering::SeqCst);
                    Ok(visitor)
                },
            )
            .on_open(async |cx: Context<Visitor>| {
                // A room that all are in, and one of its own: either would be seen if it were left.
                cx.rooms().join("lobby")?;
                cx.rooms().join(cx.client_id().to_string())?;
                cx.panic_in("on_open");
                Ok(())
            })
            .on_disconnect(async |cx: Context<Visitor>| {
                cx.counts.disconnected.fetch_add(1, Ordering::SeqCst);
                cx.panic_in("on_disconnect");
            })
            .limits(limits)
            .hub(hub.clone())
            .build();
        let message = zo.message();
        let router = zo
            .router()
            .outgoing::<Noise>()
            .incoming(
                "here",
                message.clone().handle(async |_: Context<Visitor>| Ok("here")),
            )
            .incoming(
                "small",
                message
                    .clone()
                    .input::<Small>()
                    .handle(async |_, small: Small| Ok(small)),
            )
            .incoming(
                "any",
                message
                    .clone()
                    .input::<Anything>()
                    .handle(async |_, any: Anything| Ok(any)),
            )
            .incoming(
                "texts",
                message
                    .clone()
                    .input::<Texts>()
                    .handle(async |_, texts: Texts| Ok(texts)),
            )
            .incoming(
                "noise",
                message.clone().handle(async |cx: Context<Visitor>| {
                    cx.send(Noise("!".to_owned())).to_room(cx.client_id().to_string());
                    Ok(())
                }),
            )
            .incoming(
                "numbers",
                message
                    .clone()
                    .input::<Numbers>()
                    .handle(async |_, numbers: Numbers| Ok(numbers)),
            )
            .incoming(
                "big",
                message
                    .clone()
                    .handle(async |_: Context<Visitor>| Ok("x".repeat(100_000))),
            )
            .incoming(
                "join",
                message
                    .clone()
                    .input::<Room>()
                    .handle(async |cx: Context<Visitor>, Room { room }: Room| cx.rooms().join(room)),
            )
            .incoming(
                "panic.handler",
                message
                    .clone()
                    .handle(async |cx: Context<Visitor>| -> Result<(), Error> {
                        panic!("as asked for, by {}", cx.client_id())
                    }),
            )
            .incoming(
                "panic.middleware",
                message
                    .clone()
                    .with(async |_: Context<Visitor>| -> Result<(), Error> { panic!("as asked for") })
                    .handle(async |_: Context<()>| Ok(())),
            )
            .incoming(
                // Until its client has gone, and then a panic.
                "panic.late",
                message.handle(async |cx: Context<Visitor>| -> Result<(), Error> {
                    cx.counts.begun.add_permits(1);
                    cx.closed().await;
                    panic!("as asked for, too late to be told")
                }),
            );
        let server = serve_by(zo.serve(router), http).await;
        let bystander = server.connect("").await;
        let site = Self {
            zo,
            hub,
            counts,
            server,
            bystander,
        };
        until(|| site.hub.room_count() == 2).await;
        site
    }

    /// The server is up, the bystander has noticed nothing and can still call, and nothing is left of anyone else;
    /// nor of the bystander, once it has gone.
    async fn survived(mut self) {
        self.bystander.expect_nothing().await;
        let mut newcomer = self.server.connect("").await;
        assert_eq!(newcomer.call("here", Value::Null).await, Ok(Some(json!("here"))));
        newcomer.close().await;
        // Its two rooms are the lobby and its own.
        let left = || {
            (
                self.zo.connections(),
                self.hub.client_count(),
                self.hub.room_count(),
            )
        };
        until(|| left() == (1, 1, 2)).await;
        assert_eq!(
            self.bystander.call("here", Value::Null).await,
            Ok(Some(json!("here")))
        );
        self.bystander.close().await;
        let left = || {
            (
                self.zo.connections(),
                self.hub.client_count(),
                self.hub.room_count(),
            )
        };
        until(|| left() == (0, 0, 0)).await;
        let [connected, disconnected] =
            [&self.counts.connected, &self.counts.disconnected].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(
            connected, disconnected,
            "on_connect and on_disconnect do not pair"
        );
    }
}

/// Sends a text message, whatever it is.
async fn send(raw: &mut Raw, text: &str) {
    raw.write(&frame(FIN | TEXT, text.as_bytes())).await;
}

/// The next frame, as JSON.
async fn answer(raw: &mut Raw) -> Value {
    serde_json::from_str(&raw.read_text().await).unwrap()
}

/// What a message is answered with: its payload, or the refusal.
async fn ask(raw: &mut Raw, text: &str) -> Value {
    send(raw, text).await;
    answer(raw).await
}

/// The connection has come through: a call is answered, and nothing before it.
async fn assert_well(raw: &mut Raw) {
    let answer = ask(raw, r#"{"type":"here","rpcId":"well?"}"#).await;
    assert_eq!(
        answer,
        json!({ "type": "__rpc_res", "payload": "here", "rpcId": "well?" })
    );
}

// Too much.

#[tokio::test]
async fn ten_megabytes_are_refused_however_they_come() {
    const MUCH: usize = 10 << 20;
    let site = Site::new().await;
    let payload = vec![b'x'; MUCH];
    let part = &payload[..64 << 10];
    let ways: [(&str, Vec<Vec<u8>>); 5] = [
        ("in one frame", vec![frame(FIN | BINARY, &payload)]),
        (
            "as a message",
            vec![frame(
                FIN | TEXT,
                format!(r#"{{"type":"here","rpcId":1,"payload":"{}"}}"#, "x".repeat(MUCH)).as_bytes(),
            )],
        ),
        ("announced", vec![head(FIN | TEXT, MUCH as u64)]),
        (
            "in fragments",
            std::iter::once(frame(TEXT, part))
                .chain((0..MUCH / part.len()).map(|_| frame(CONTINUATION, part)))
                .collect(),
        ),
        (
            "in fragments, with pings between",
            std::iter::once(frame(TEXT, part))
                .chain(
                    (0..MUCH / part.len()).flat_map(|_| [frame(FIN | PING, b"?"), frame(CONTINUATION, part)]),
                )
                .collect(),
        ),
    ];
    for (way, frames) in ways {
        let mut raw = site.server.raw().await;
        for frame in frames {
            // The server need not take it all.
            if raw.try_write(&frame).await.is_err() {
                break;
            }
        }
        assert_eq!(
            raw.closed().await,
            (1009, "message-too-large".to_owned()),
            "{way}"
        );
    }
    site.survived().await;
}

#[tokio::test]
async fn json_nested_a_hundred_thousand_deep_is_refused_or_ignored() {
    const DEEP: usize = 100_000;
    let site = Site::new().await;
    let mut raw = site.server.raw().await;
    let arrays = format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(DEEP), "}".repeat(DEEP));
    for deep in [&arrays, &objects] {
        for (route, code) in [("any", "too_deep"), ("small", "too_deep"), ("texts", "too_deep")] {
            let payload = if route == "any" {
                format!(r#"{{"any":{deep}}}"#)
            } else {
                deep.clone()
            };
            let told = ask(
                &mut raw,
                &format!(r#"{{"type":"{route}","rpcId":1,"payload":{payload}}}"#),
            )
            .await;
            assert_eq!(told["error"]["code"], "BAD_REQUEST", "{route}: {told}");
            assert_eq!(told["error"]["issues"][0]["code"], code, "{route}: {told}");
        }
        // A payload that nobody looks into, and a member that nobody knows.
        let told = ask(
            &mut raw,
            &format!(r#"{{"type":"here","rpcId":1,"payload":{deep}}}"#),
        )
        .await;
        assert_eq!(told["payload"], "here");
        let told = ask(&mut raw, &format!(r#"{{"type":"here","rpcId":1,"more":{deep}}}"#)).await;
        assert_eq!(told["payload"], "here");
        let told = ask(&mut raw, &format!(r#"{{"type":{deep},"rpcId":1}}"#)).await;
        assert_eq!(told["error"]["code"], "PARSE_ERROR");
        send(&mut raw, &format!(r#"{{"type":"here","rpcId":{deep}}}"#)).await;
        send(&mut raw, deep).await;
        send(&mut raw, &deep[..DEEP]).await;
        assert_well(&mut raw).await;
    }
    drop(raw);
    site.survived().await;
}

#[tokio::test]
async fn a_payload_that_is_wrong_a_hundred_thousand_times_is_told_a_hundred_issues() {
    let site = Site::new().await;
    let mut client = site.server.connect("").await;
    for text in [json!(""), json!(1)] {
        let payload = json!({ "texts": vec![text; 100_000] });
        let refusal = client.call("texts", payload).await.unwrap_err();
        assert_eq!(refusal.code(), "BAD_REQUEST");
        assert_eq!(refusal.issues().len(), 100);
        assert!(refusal.0.to_string().len() < 50_000);
    }
    client.close().await;
    site.survived().await;
}

#[tokio::test]
async fn a_refusal_does_not_repeat_what_was_sent() {
    let site = Site::new().await;
    let mut raw = site.server.raw().await;
    let long = "x".repeat(500_000);
    for text in [
        format!(r#"{{"rpcId":1,"type":"{long}"}}"#),
        format!(r#"{{"rpcId":1,"type":["{long}"]}}"#),
        format!(r#"{{"rpcId":1,"type":"small","payload":"{long}"}}"#),
        format!(r#"{{"rpcId":1,"type":"small","payload":{{"{long}":1}}}}"#),
        format!(r#"{{"rpcId":1,"type":"small","payload":{{"n":"{long}"}}}}"#),
        format!(r#"{{"rpcId":1,"type":"small","payload":{{"n":1,"n":1,"{long}":1}}}}"#),
        format!(
            r#"{{"rpcId":1,"type":"numbers","payload":{{"integer":{}}}}}"#,
            "1".repeat(500_000)
        ),
    ] {
        let told = ask(&mut raw, &text).await;
        assert!(told["error"]["code"].is_string(), "{:.200}", told.to_string());
        assert!(told.to_string().len() < 2_000, "{:.200}", told.to_string());
    }
    drop(raw);
    site.survived().await;
}

// JSON at its edges.

#[tokio::test]
async fn a_key_named_twice_is_refused_where_it_matters() {
    let site = Site::new().await;
    let mut raw = site.server.raw().await;
    let told = ask(&mut raw, r#"{"type":"small","rpcId":1,"payload":{"n":1,"n":2}}"#).await;
    assert_eq!(told["error"]["code"], "BAD_REQUEST");
    assert_eq!(told["error"]["issues"][0]["code"], "duplicate_key", "{told}");
    assert_eq!(told["error"]["issues"][0]["path"], json!(["n"]), "{told}");
    // In an envelope nobody can say which one counts.
    for text in [
        r#"{"type":"here","type":"panic","rpcId":1}"#,
        r#"{"type":"here","rpcId":1,"payload":1,"payload":2}"#,
        r#"{"type":"here","rpcId":1,"\u0074ype":"panic"}"#,
    ] {
        let told = ask(&mut raw, text).await;
        assert_eq!(told["error"]["code"], "PARSE_ERROR", "{told}");
    }
    // Of two ids, nobody can say which one to answer to.
    send(&mut raw, r#"{"type":"here","rpcId":1,"rpcId":2}"#).await;
    assert_well(&mut raw).await;
    let told = ask(&mut raw, r#"{"type":"here","more":1,"more":2,"rpcId":1}"#).await;
    assert_eq!(told["payload"], "here");
    drop(raw);
    site.survived().await;
}

#[tokio::test]
async fn odd_text_is_data_or_a_refusal_and_never_more() {
    let site = Site::new().await;
    let mut raw = site.server.raw().await;
    let any = |value: &str| format!(r#"{{"type":"any","rpcId":1,"payload":{{"any":{value}}}}}"#);
    for value in [
        r#""\u0000""#,
        r#""\ud83d\ude00""#,
        r#"{"__proto__":{"admin":true}}"#,
        r#"{"constructor":{"prototype":1}}"#,
        r#"{"":"","\u0000":0}"#,
        r#""\u202e\ufeff\uffff""#,
        r#"{"$serde_json::private::Number":"1"}"#,
    ] {
        let told = ask(&mut raw, &any(value)).await;
        let sent: Value = serde_json::from_str(value).unwrap();
        assert_eq!(told["payload"]["any"], sent, "{value}: {told}");
    }
    for value in [r#""\ud800""#, r#""\udc00\ud800""#, r#"{"\ud800":1}"#] {
        let told = ask(&mut raw, &any(value)).await;
        assert_eq!(told["error"]["code"], "BAD_REQUEST", "{value}: {told}");
        // Where nobody looks, nobody minds.
        let told = ask(
            &mut raw,
            &format!(r#"{{"type":"here","rpcId":1,"payload":{value}}}"#),
        )
        .await;
        assert_eq!(told["payload"], "here");
    }
    // As bare bytes, the control character makes it no JSON at all.
    send(&mut raw, "{\"type\":\"here\",\"rpcId\":\"\0\"}").await;
    assert_well(&mut raw).await;
    let told = ask(
        &mut raw,
        r#"{"type":"join","rpcId":1,"payload":{"room":"a\u0000b"}}"#,
    )
    .await;
    assert_eq!(told, json!({ "type": "__rpc_res", "rpcId": 1 }));
    drop(raw);
    site.survived().await;
}

#[tokio::test]
async fn numbers_out_of_range_are_refused_with_an_issue() {
    let site = Site::new().await;
    let mut raw = site.server.raw().await;
    for (route, number) in [
        ("small", r#"{"n":300}"#),
        ("small", r#"{"n":-1}"#),
        ("small", r#"{"n":-0}"#),
        ("small", r#"{"n":1.5}"#),
        ("small", r#"{"n":1.0}"#),
        ("small", r#"{"n":1e2}"#),
        ("small", r#"{"n":1e400}"#),
        ("numbers", r#"{"natural":18446744073709551616}"#),
        ("numbers", r#"{"natural":-1}"#),
        ("numbers", r#"{"natural":-0}"#),
        ("numbers", r#"{"integer":9223372036854775808}"#),
        ("numbers", r#"{"integer":-9223372036854775809}"#),
        ("numbers", r#"{"integer":-0}"#),
        ("numbers", r#"{"float":1e400}"#),
        ("numbers", r#"{"float":-1e400}"#),
    ] {
        let told = ask(
            &mut raw,
            &format!(r#"{{"type":"{route}","rpcId":1,"payload":{number}}}"#),
        )
        .await;
        assert_eq!(told["error"]["code"], "BAD_REQUEST", "{route} {number}: {told}");
        assert!(
            told["error"]["issues"][0]["code"].is_string(),
            "{route} {number}: {told}"
        );
    }
    for (route, number, back) in [
        ("small", r#"{"n":255}"#, json!({ "n": 255 })),
        (
            "numbers",
            r#"{"natural":18446744073709551615}"#,
            json!({ "natural": u64::MAX }),
        ),
        (
            "numbers",
            r#"{"integer":-9223372036854775808}"#,
            json!({ "integer": i64::MIN }),
        ),
        ("numbers", r#"{"float":1e308}"#, json!({ "float": 1e308 })),
        ("numbers", r#"{"float":1e-400}"#, json!({ "float": 0.0 })),
    ] {
        let told = ask(
            &mut raw,
            &format!(r#"{{"type":"{route}","rpcId":1,"payload":{number}}}"#),
        )
        .await;
        assert_eq!(told["payload"], back, "{route} {number}: {told}");
    }
    drop(raw);
    site.survived().await;
}

#[tokio::test]
async fn binary_messages_that_are_no_utf_8_are_refused_and_the_connection_goes_on() {
    let site = Site::new().await;
    let mut raw = site.server.raw().await;
    for bytes in [
        &b"\xff\xfe\xfd"[..],
        b"",
        b"{\"type\":\"here\",\"rpcId\":\"\xc3\"}",
        b"{\"type\":\"here\",\"rpcId\":1}\xff",
    ] {
        raw.write(&frame(FIN | BINARY, bytes)).await;
    }
    assert_well(&mut raw).await;
    // Where the id can be read, the refusal has it.
    for bytes in [
        &b"{\"type\":\"here\xff\",\"rpcId\":1}"[..],
        b"{\"type\":\"any\",\"payload\":{\"any\":\"\xed\xa0\x80\"},\"rpcId\":1}",
    ] {
        raw.write(&frame(FIN | BINARY, bytes)).await;
        let told = answer(&mut raw).await;
        assert_eq!(
            (&told["rpcId"], &told["error"]["code"]),
            (&json!(1), &json!("PARSE_ERROR"))
        );
    }
    assert_well(&mut raw).await;
    drop(raw);
    site.survived().await;
}

/// serde_json has a key of its own under which a text is read as JSON, with a depth of its own.
#[tokio::test]
async fn json_within_serde_jsons_own_key_is_no_way_around_the_depth() {
    let site = Site::new().await;
    let mut raw = site.server.raw().await;
    let mut value = "1".to_owned();
    for _ in 0..17 {
        let inner = format!("{}{value}{}", "[".repeat(120), "]".repeat(120));
        value = json!({ "$serde_json::private::RawValue": inner }).to_string();
    }
    assert!(value.len() < 1_000_000, "{}", value.len());
    for text in [
        format!(r#"{{"type":"any","rpcId":1,"payload":{{"any":{value}}}}}"#),
        format!(r#"{{"type":"small","rpcId":1,"payload":{{"n":{value}}}}}"#),
        format!(r#"{{"type":"small","rpcId":1,"payload":{value}}}"#),
    ] {
        let told = ask(&mut raw, &text).await;
        assert_eq!(told["error"]["code"], "BAD_REQUEST", "{told:.200}");
    }
    // Nor does it make the server read a text as anything but a text.
    let told = ask(
        &mut raw,
        r#"{"type":"any","rpcId":1,"payload":{"any":{"$serde_json::private::RawValue":"[1]"}}}"#,
    )
    .await;
    assert_ne!(told["payload"]["any"], json!([1]), "{told}");
    drop(raw);
    site.survived().await;
}

// Half a connection.

#[tokio::test]
async fn half_a_handshake_is_let_go_in_time() {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(200));
    let site = Site::served(Limits::default(), http).await;
    let whole = handshake("");
    let mut halves = Vec::new();
    for length in [0, 1, 10, whole.len() / 2, whole.len() - 2] {
        let mut raw = site.server.dial().await;
        raw.write(&whole.as_bytes()[..length]).await;
        halves.push(raw);
    }
    join_all(halves.iter_mut().map(Raw::hung_up)).await;
    assert_eq!(site.zo.connections(), 1);
    site.survived().await;
}

#[tokio::test]
async fn a_handshake_that_announces_a_body_and_sends_none_holds_nothing_for_long() {
    let limits = Limits {
        ping_after: Duration::from_millis(100),
        pong_within: Duration::from_millis(100),
        ..Limits::default()
    };
    let site = Site::with(limits).await;
    let mut open = Vec::new();
    for fields in ["Content-Length: 10\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut raw = site.server.dial().await;
        raw.write(handshake(fields).as_bytes()).await;
        open.push(raw);
    }
    for raw in &mut open {
        raw.hung_up().await;
    }
    // The bystander answers no ping here: it is gone as well.
    until(|| site.zo.connections() == 0).await;
    assert_eq!((site.hub.client_count(), site.hub.room_count()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_opened_and_dropped_at_once_leave_nothing() {
    let site = Site::new().await;
    let server = &site.server;
    // In waves, so that few descriptors are needed.
    for _ in 0..4 {
        let wave = join_all((0..250).map(|n| async move {
            match n % 5 {
                // After the 101, without a Close.
                0 | 1 => server.raw().await,
                // In the middle of the handshake.
                2 => {
                    let mut raw = server.dial().await;
                    raw.write(&handshake("").as_bytes()[..40]).await;
                    raw
                }
                // Before the 101 was read.
                3 => {
                    let mut raw = server.dial().await;
                    raw.write(handshake("").as_bytes()).await;
                    raw
                }
                // In the middle of a message, and with a handler that waits.
                _ => {
                    let mut raw = server.raw().await;
                    send(&mut raw, r#"{"type":"join","payload":{"room":"room"}}"#).await;
                    send(&mut raw, r#"{"type":"panic.late"}"#).await;
                    raw.write(&frame(FIN | TEXT, br#"{"type":"here"}"#)[..9]).await;
                    raw
                }
            }
        }))
        .await;
        drop(wave);
    }
    // The last of them may not have been accepted yet.
    until(|| site.counts.connected.load(Ordering::SeqCst) > 600).await;
    until(|| site.zo.connections() == 1).await;
    site.survived().await;
}

#[tokio::test]
async fn a_peer_that_only_stops_sending_is_let_go() {
    use tokio::io::AsyncWriteExt;
    let site = Site::new().await;
    let mut raw = site.server.raw().await;
    raw.0.shutdown().await.unwrap();
    raw.hung_up().await;
    until(|| site.zo.connections() == 1).await;
    site.survived().await;
}

#[tokio::test]
async fn a_peer_that_vanishes_in_the_middle_of_anything_is_let_go() {
    let site = Site::new().await;
    let call = frame(FIN | TEXT, br#"{"type":"here","rpcId":1}"#);
    let fragment = frame(TEXT, b"{");
    let close = frame(FIN | CLOSE, &[3, 232]);
    for bytes in [
        &call[..1],
        &call[..3],
        &call[..call.len() - 1],
        &fragment,
        &close,
        &close[..3],
    ] {
        let mut raw = site.server.raw().await;
        raw.write(bytes).await;
    }
    until(|| site.counts.connected.load(Ordering::SeqCst) == 7).await;
    until(|| site.zo.connections() == 1).await;
    site.survived().await;
}

// Control frames.

#[tokio::test]
async fn control_frames_against_the_rules_end_their_own_connection_alone() {
    let site = Site::new().await;
    for bytes in [
        frame(PING, b"a"),
        frame(PONG, b"a"),
        frame(CLOSE, &[3, 232]),
        frame(FIN | PING, &[0; 126]),
        frame(FIN | PONG, &[0; 70_000]),
        frame(FIN | CLOSE, &[0]),
        frame(FIN | CLOSE, &[0, 0]),
    ] {
        let mut raw = site.server.raw().await;
        raw.write(&bytes).await;
        assert_eq!(raw.closed().await.0, 1002);
    }
    site.survived().await;
}

#[tokio::test]
async fn control_frames_by_the_rules_are_taken_wherever_they_stand() {
    let site = Site::new().await;
    let mut raw = site.server.raw().await;
    for (first, payload) in [
        (PING, &b""[..]),
        (PONG, b""),
        (PONG, &[0; 125]),
        (PING, &[0xff; 125]),
    ] {
        raw.write(&frame(FIN | first, payload)).await;
        if first == PING {
            assert_eq!(raw.read_frame().await.unwrap(), (FIN | PONG, payload.to_vec()));
        }
    }
    // Between the fragments of a message, one of which is empty.
    raw.write(&frame(TEXT, br#"{"type":"here","#)).await;
    raw.write(&frame(FIN | PING, b"between")).await;
    raw.write(&frame(CONTINUATION, b"")).await;
    assert_eq!(raw.read_frame().await.unwrap(), (FIN | PONG, b"between".to_vec()));
    raw.write(&frame(FIN | CONTINUATION, br#""rpcId":1}"#)).await;
    assert_eq!(answer(&mut raw).await["payload"], "here");
    // Empty messages are malformed, not forbidden.
    for first in [FIN | TEXT, FIN | BINARY, TEXT, FIN | CONTINUATION] {
        raw.write(&frame(first, b"")).await;
    }
    assert_well(&mut raw).await;
    drop(raw);
    site.survived().await;
}

#[tokio::test]
async fn ten_thousand_empty_fragments_are_one_message() {
    let site = Site::new().await;
    let mut raw = site.server.raw().await;
    raw.write(&frame(TEXT, br#"{"type":"here","#)).await;
    raw.write(&frame(CONTINUATION, b"").repeat(10_000)).await;
    raw.write(&frame(FIN | CONTINUATION, br#""rpcId":1}"#)).await;
    assert_eq!(answer(&mut raw).await["payload"], "here");
    drop(raw);
    site.survived().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_pings_holds_nobody_up() {
    let mut site = Site::new().await;
    let mut raw = site.server.raw().await;
    let (pings, calls) = (frame(FIN | PING, &[0; 125]).repeat(1_000), 20);
    let (mut reading, mut writing) = raw.0.split();
    let flood = async {
        use tokio::io::AsyncWriteExt;
        for _ in 0..20 {
            writing.write_all(&pings).await.unwrap();
        }
        let last = frame(FIN | TEXT, br#"{"type":"here","rpcId":"last"}"#);
        writing.write_all(&last).await.unwrap();
    };
    // Whoever reads its pongs may go on.
    let pongs = async {
        use tokio::io::AsyncReadExt;
        let mut seen = Vec::new();
        while !seen.ends_with(br#""last"}"#) {
            assert!(reading.read_buf(&mut seen).await.unwrap() > 0);
        }
    };
    let others = async {
        for _ in 0..calls {
            assert_eq!(
                site.bystander.call("here", Value::Null).await,
                Ok(Some(json!("here")))
            );
        }
    };
    timeout(PATIENCE, async { tokio::join!(flood, pongs, others) })
        .await
        .expect("the flood never ends");
    drop(raw);
    site.survived().await;
}

#[tokio::test]
async fn pongs_do_not_pile_up_for_a_peer_that_does_not_read_them() {
    let limits = Limits {
        message: 10_000,
        outbound: 100_000,
        close_within: Duration::from_millis(200),
        ..Limits::default()
    };
    let site = Site::with(limits).await;
    let mut raw = site.server.raw().await;
    let pings = frame(FIN | PING, &[0; 125]).repeat(1_000);
    // 64 MiB: more than the sockets of both sides hold. Either the server takes no more, or it hangs up.
    let flood = async {
        for _ in 0..500 {
            if raw.try_write(&pings).await.is_err() {
                return;
            }
        }
        panic!("the server has taken 64 MiB of pings, and their pongs are nowhere but in its memory");
    };
    flood.await;
    site.survived().await;
}

#[tokio::test]
async fn a_peer_that_sends_one_byte_at_a_time_is_served_and_holds_nobody_up() {
    let mut site = Site::new().await;
    let mut raw = site.server.dial().await;
    raw.0.set_nodelay(true).unwrap();
    for byte in handshake("").bytes() {
        raw.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(raw.read_http().await.starts_with("HTTP/1.1 101 "));
    for byte in frame(FIN | TEXT, br#"{"type":"here","rpcId":"slow"}"#) {
        raw.write(&[byte]).await;
        assert!(site.bystander.call("here", Value::Null).await.is_ok());
    }
    assert_eq!(answer(&mut raw).await["rpcId"], "slow");
    drop(raw);
    site.survived().await;
}

#[tokio::test]
async fn a_message_that_never_ends_is_given_up_like_any_silence() {
    let limits = Limits {
        ping_after: Duration::from_millis(50),
        pong_within: Duration::from_millis(50),
        ..Limits::default()
    };
    let site = Site::with(limits).await;
    let mut raw = site.server.raw().await;
    // It sends and sends, and never a whole frame.
    let drip = async {
        raw.write(&head(FIN | TEXT, 1_000_000)).await;
        while raw.try_write(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, drip).await.expect("it is never given up");
    // The bystander answers no ping here: it is gone as well.
    until(|| site.zo.connections() == 0).await;
    assert_eq!((site.hub.client_count(), site.hub.room_count()), (0, 0));
}

// Work.

#[tokio::test]
async fn a_peer_that_reads_may_call_as_fast_as_it_can_write() {
    let site = Site::new().await;
    let client = site.server.connect("").await;
    let (mut writing, mut reading) = client.socket.split();
    let calls = async {
        for id in 0..300 {
            let call = json!({ "type": "big", "rpcId": id }).to_string();
            writing.feed(tungstenite::Message::text(call)).await.unwrap();
        }
        writing.flush().await.unwrap();
    };
    // 30 MB of answers, far more than `Limits::outbound`, and each is read as soon as it comes.
    let answers = async {
        for id in 0..300 {
            match reading.next().await {
                Some(Ok(tungstenite::Message::Text(text))) => {
                    assert!(text.ends_with(&format!("\"rpcId\":{id}}}")), "{id}: {text:.100}");
                }
                other => panic!("{id}: {other:?}"),
            }
        }
    };
    timeout(PATIENCE, async { tokio::join!(calls, answers) })
        .await
        .expect("not all is answered");
    // It was not taken for a slow reader.
    let last = json!({ "type": "here", "rpcId": "last" }).to_string();
    writing.send(tungstenite::Message::text(last)).await.unwrap();
    let answer = timeout(PATIENCE, reading.next()).await.expect("no answer");
    assert!(
        matches!(&answer, Some(Ok(tungstenite::Message::Text(text))) if text.contains("here")),
        "{answer:?}"
    );
    drop((writing, reading));
    site.survived().await;
}

#[tokio::test]
async fn a_peer_that_calls_and_does_not_read_is_let_go() {
    let limits = Limits {
        outbound: 1 << 20,
        stall: Duration::from_millis(300),
        close_within: Duration::from_millis(200),
        ..Limits::default()
    };
    let site = Site::with(limits).await;
    let mut raw = site.server.raw().await;
    for id in 0..500 {
        let call = format!(r#"{{"type":"big","rpcId":{id}}}"#);
        if raw.try_write(&frame(FIN | TEXT, call.as_bytes())).await.is_err() {
            break;
        }
    }
    until(|| site.zo.connections() == 1).await;
    site.survived().await;
}

#[tokio::test]
async fn limits_may_be_as_large_as_their_types() {
    let site = Site::with(Limits {
        message: usize::MAX,
        in_flight: usize::MAX,
        queued: usize::MAX,
        outbound: usize::MAX,
        room_name: usize::MAX,
        room_backlog: usize::MAX,
        stall: Duration::MAX,
        ping_after: Duration::MAX,
        pong_within: Duration::MAX,
        close_within: Duration::MAX,
        ..Limits::default()
    })
    .await;
    let mut client = site.server.connect("").await;
    assert_eq!(client.call("noise", Value::Null).await, Ok(None));
    assert_eq!(client.event("noise").await, "!");
    client.close().await;
    site.survived().await;
}

#[tokio::test]
async fn a_client_may_not_be_in_more_rooms_than_the_limit() {
    let site = Site::with(Limits {
        rooms: 5,
        room_name: 40,
        ..Limits::default()
    })
    .await;
    let mut client = site.server.connect("").await;
    for room in ["", "b", "c"] {
        assert_eq!(client.call("join", json!({ "room": room })).await, Ok(None));
    }
    let refusal = client.call("join", json!({ "room": "d" })).await.unwrap_err();
    assert_eq!(refusal.code(), "PRECONDITION_FAILED");
    let refusal = client
        .call("join", json!({ "room": "x".repeat(41) }))
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), "BAD_REQUEST");
    assert_eq!(site.hub.room_count(), 3 + 3);
    client.close().await;
    site.survived().await;
}

// Panics.

#[tokio::test]
async fn panics_in_handlers_and_middleware_cost_their_message_alone() {
    let site = Site::new().await;
    let mut client = site.server.connect("").await;
    for _ in 0..20 {
        for route in ["panic.handler", "panic.middleware"] {
            let refusal = client.call(route, Value::Null).await.unwrap_err();
            assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
        }
    }
    assert!(client.call("here", Value::Null).await.is_ok());
    client.close().await;
    site.survived().await;
}

#[tokio::test]
async fn a_panic_after_its_client_has_gone_still_lets_the_client_go() {
    let site = Site::new().await;
    let mut client = site.server.connect("").await;
    client.begin("panic.late", Value::Null).await;
    site.counts.begun.acquire().await.unwrap().forget();
    drop(client);
    until(|| site.zo.connections() == 1).await;
    site.survived().await;
}

#[tokio::test]
async fn a_panic_in_on_connect_is_a_500_and_nothing_more() {
    let site = Site::new().await;
    let (status, body) = site
        .server
        .try_connect("panic=on_connect", &[])
        .await
        .err()
        .expect("it panics");
    assert_eq!(status, 500);
    assert!(!body.to_string().contains("as asked for"), "{body}");
    assert_eq!(site.zo.connections(), 1);
    site.survived().await;
}

#[tokio::test]
async fn a_panic_in_on_open_closes_its_connection_and_is_followed_by_on_disconnect() {
    let site = Site::new().await;
    let mut client = site.server.connect("panic=on_open").await;
    assert_eq!(client.closed().await, (1011, "internal-error".to_owned()));
    drop(client);
    until(|| site.counts.disconnected.load(Ordering::SeqCst) == 1).await;
    site.survived().await;
}

#[tokio::test]
async fn a_panic_in_on_disconnect_leaves_nobody_in_a_room() {
    let site = Site::new().await;
    let mut client = site.server.connect("panic=on_disconnect").await;
    assert!(client.call("here", Value::Null).await.is_ok());
    client.close().await;
    until(|| site.zo.connections() == 1).await;
    site.survived().await;
}
