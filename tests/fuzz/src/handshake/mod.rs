//! A handshake: its fields, its query and its offers, over HTTP, compared with a model.

mod app;
mod input;
mod model;

use std::{sync::Arc, time::Duration};

use arbitrary::{Arbitrary, Unstructured};
use serde_json::{Value, json};
use tokio::time::sleep;
use zocket::testing::{TestApp, internal::dial};

use self::{
    app::{Headers, Seen, app},
    input::{Fault, Input},
    model::{Expected, Request},
};
use crate::socket::{ACCEPT, CLOSE, Head, Socket, TEXT, frame, request, runtime, settle};

/// Time within which every connection and every parked session has ended.
const OVER: Duration = Duration::from_secs(120);

/// Sends the handshake that the bytes stand for.
pub fn run(data: &[u8]) {
    if let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) {
        runtime().block_on(check(&input));
    }
}

async fn check(input: &Input) {
    let seen = Arc::new(Seen::default());
    let (zo, app) = app(&seen);
    let before = match input.session {
        Some(_) => Some(Before::park(&app).await),
        None => None,
    };
    let token = before.as_ref().map_or(NO_TOKEN, |before| &before.token);
    let request = Request::new(input, token);
    let expected = request.expected(input);
    let resumed = before
        .as_ref()
        .filter(|before| expected == Expected::Accepted && before.is_resumed_by(&request));
    let connected = seen.connected.lock().unwrap().len();
    let (head, mut socket) = open(&app, &request.bytes).await;
    match &expected {
        Expected::Malformed(status) => check_malformed(&head, *status),
        Expected::Refused { status, code } => check_refused(&request, &head, &mut socket, *status, code),
        Expected::Accepted => {
            check_accepted(input, &request, &head);
            let last = seen.connected.lock().unwrap().last().cloned();
            let id = match (resumed, last) {
                (Some(before), _) => before.id.clone(),
                (None, Some((id, headers))) => {
                    assert_eq!(headers, Headers::of(&request.headers));
                    json!(id)
                }
                (None, None) => panic!("`on_connect` did not run"),
            };
            check_welcome(&request, &mut socket, resumed, &id);
            check_messages(&request, &mut socket, &id).await;
        }
    }
    let connects = expected == Expected::Accepted && resumed.is_none();
    assert_eq!(
        seen.connected.lock().unwrap().len(),
        connected + usize::from(connects)
    );
    if let Some(before) =
        before.filter(|before| expected != Expected::Accepted || !before.is_resumed_by(&request))
    {
        // A stranger leaves the session alone.
        let mut comes_back = before.come_back(&app).await;
        let welcome = comes_back.take_frame().expect("a welcome").json();
        assert_eq!(welcome["payload"]["resumed"], true, "{welcome}");
        assert_eq!(welcome["payload"]["clientId"], before.id, "{welcome}");
    }
    drop(socket);
    sleep(OVER).await;
    assert_eq!(zo.connections(), 0);
    let mut connected: Vec<_> = seen.connected.lock().unwrap().iter().map(|(id, _)| *id).collect();
    let mut departed = seen.departed.lock().unwrap().clone();
    connected.sort_unstable();
    departed.sort_unstable();
    assert_eq!(departed, connected, "every client departs once");
}

/// The token of no session.
const NO_TOKEN: &str = "0000000000004000800000000000000000000000000000000000000000000000";

/// A session that was parked before the handshake. Its client has the header `name=a`, has sent a call, and has received the
/// answer.
struct Before {
    token: String,
    id: Value,
}

impl Before {
    async fn park(app: &TestApp) -> Self {
        let mut socket = Self::open(app, "zocket.resume").await;
        let welcome = socket.take_frame().expect("a welcome").json();
        let (token, id) = (&welcome["payload"]["session"], &welcome["payload"]["clientId"]);
        let before = Self {
            token: token.as_str().expect("a token").to_owned(),
            id: id.clone(),
        };
        socket.write(&frame(TEXT, br#"{"type":"__ack","payload":0}"#));
        socket.write(&frame(TEXT, br#"{"type":"who","rpcId":1}"#));
        socket.send();
        settle().await;
        socket.exchange();
        assert_eq!(
            socket.take_frame().expect("an answer").json()["payload"],
            before.id
        );
        drop(socket);
        settle().await;
        before
    }

    async fn open(app: &TestApp, offer: &str) -> Socket {
        let request = request("name=a", &format!("zocket.v1.json, {offer}"));
        let (head, socket) = open(app, request.as_bytes()).await;
        assert_eq!(head.status, 101);
        socket
    }

    async fn come_back(&self, app: &TestApp) -> Socket {
        Self::open(app, &format!("zocket.resume.{}.1", self.token)).await
    }

    /// Returns true if a request has the token, a number that the session can be resumed from, and the same headers.
    fn is_resumed_by(&self, request: &Request) -> bool {
        let n = request
            .offers
            .resume
            .as_deref()
            .and_then(|offer| offer.strip_prefix(self.token.as_bytes()));
        let is_number = match n {
            Some([b'.', digits @ .., b'0' | b'1']) => digits.iter().all(|digit| *digit == b'0'),
            _ => false,
        };
        is_number && Headers::of(&request.headers) == Self::headers() && request.headers.len() == 1
    }

    fn headers() -> Headers {
        Headers::of(&[("name", Ok("a".to_owned()))].into())
    }
}

/// Sends a request. Returns the head of the response, and the connection.
async fn open(app: &TestApp, request: &[u8]) -> (Head, Socket) {
    let mut socket = Socket::new(dial(app, None, None));
    socket.write(request);
    socket.send();
    settle().await;
    socket.exchange();
    let shown = || String::from_utf8_lossy(request).into_owned();
    let head = socket.take_head();
    (
        head.unwrap_or_else(|| panic!("no response to {}", shown())),
        socket,
    )
}

fn check_malformed(head: &Head, status: u16) {
    assert_eq!(head.status, status, "{head:?}");
    assert_eq!(head.field("allow"), (status == 405).then_some("GET"), "{head:?}");
    let is_426 = status == 426;
    assert_eq!(head.field("upgrade"), is_426.then_some("websocket"), "{head:?}");
    assert_eq!(
        head.field("sec-websocket-version"),
        is_426.then_some("13"),
        "{head:?}"
    );
}

fn check_refused(request: &Request, head: &Head, socket: &mut Socket, status: u16, code: &str) {
    if !(request.offers.codec && request.offers.refusals) {
        assert_eq!(head.status, status, "{head:?}");
        let body: Value = serde_json::from_slice(socket.unread()).unwrap();
        match code {
            "BAD_REQUEST" => {
                assert_eq!(body["error"], "Invalid headers");
                check_issues(request, &body["details"]);
            }
            _ => assert_eq!(body["code"], code, "{body}"),
        }
        return;
    }
    assert_eq!(head.status, 101, "{head:?}");
    let told = socket.take_frame().expect("an `__error`").json();
    assert_eq!(told["type"], "__error", "{told}");
    assert!(told["payload"].get("type").is_none(), "{told}");
    assert_eq!(told["payload"]["code"], code, "{told}");
    match code {
        "BAD_REQUEST" => check_issues(request, &told["payload"]["issues"]),
        "FORBIDDEN" => assert_eq!(told["payload"]["message"], "", "{told}"),
        _ => {}
    }
    let close = socket.take_frame().expect("a Close");
    assert_eq!(
        (close.opcode, close.close()),
        (CLOSE, (3_200 + status, code.to_owned()))
    );
    assert_eq!(socket.unread(), b"");
}

/// Checks that the issues are those of the headers that are invalid, each once.
fn check_issues(request: &Request, issues: &Value) {
    let mut paths: Vec<_> = issues
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| &issue["path"])
        .collect();
    paths.sort_by_key(|path| path.to_string());
    let mut expected = request.invalid();
    expected.sort_unstable();
    let expected: Vec<_> = expected.into_iter().map(|name| json!([name])).collect();
    assert_eq!(paths, expected.iter().collect::<Vec<_>>(), "{issues}");
}

fn check_accepted(input: &Input, request: &Request, head: &Head) {
    assert_eq!(head.status, 101, "{head:?}");
    let codec = request.offers.codec.then_some("zocket.v1.json");
    assert_eq!(head.field("sec-websocket-protocol"), codec, "{head:?}");
    if !matches!(input.fault, Some(Fault::OtherKey(_))) {
        assert_eq!(head.field("sec-websocket-accept"), Some(ACCEPT));
    }
}

/// Checks the first frames of a client with this id.
fn check_welcome(request: &Request, socket: &mut Socket, resumed: Option<&Before>, id: &Value) {
    let offers = &request.offers;
    if !offers.codec {
        assert_eq!(socket.unread(), b"", "the base protocol has no welcome");
        return;
    }
    let welcome = socket.take_frame().expect("a welcome").json();
    assert_eq!(welcome["type"], "__welcome");
    let welcome = &welcome["payload"];
    // A session that goes on keeps what it had: no flow control.
    let has_flow = offers.flow && resumed.is_none();
    assert_eq!(welcome["limits"].get("calls").is_some(), has_flow, "{welcome}");
    for member in ["session", "resumed", "received", "sent", "ackMs", "parkedMs"] {
        assert_eq!(
            welcome.get(member).is_some(),
            offers.resume.is_some(),
            "{member}: {welcome}"
        );
    }
    assert_eq!(
        welcome["limits"].get("record").is_some(),
        offers.resume.is_some(),
        "{welcome}"
    );
    if offers.resume.is_some() {
        let numbers = usize::from(resumed.is_some());
        assert_eq!(welcome["resumed"], resumed.is_some(), "{welcome}");
        assert_eq!(
            (&welcome["received"], &welcome["sent"]),
            (&json!(numbers), &json!(numbers))
        );
    }
    assert_eq!(&welcome["clientId"], id);
    if resumed.is_some()
        && offers
            .resume
            .as_deref()
            .is_some_and(|offer| offer.ends_with(b"0"))
    {
        assert_eq!(socket.take_frame().expect("the answer again").json()["rpcId"], 1);
    }
}

/// Checks that the protocol is spoken that the client has asked for.
async fn check_messages(request: &Request, socket: &mut Socket, id: &Value) {
    socket.write(&frame(TEXT, br#"{"type":"who","rpcId":7}"#));
    socket.write(&frame(TEXT, br#"{"type":7}"#));
    socket.send();
    settle().await;
    socket.exchange();
    let answer = socket.take_frame().expect("an answer").json();
    assert_eq!(
        (&answer["type"], &answer["rpcId"]),
        (&json!("__rpc_res"), &json!(7))
    );
    assert_eq!(&answer["payload"], id);
    if request.offers.codec {
        let error = socket.take_frame().expect("an `__error`").json();
        assert_eq!(
            (&error["type"], &error["payload"]["code"]),
            (&json!("__error"), &json!("PARSE_ERROR"))
        );
    }
    assert_eq!(socket.take_frame(), None);
}
