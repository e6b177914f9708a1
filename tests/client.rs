//! The client against servers of this crate, and against some that misbehave.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

mod common;

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use common::{PATIENCE, Server, serve, until};
use futures_util::{SinkExt, StreamExt};
use garde::Validate;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::CloseFrame,
    },
};
use zocket::{
    ClientId, Code, Context, Error, Limits, Outgoing, UpgradeService, Zocket,
    client::{BuildError, CallError, CallOptions, Client, EventError, Outage, Sent, Status},
};

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(length(chars, min = 1))]
    name: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Post {
    #[garde(length(chars, min = 1))]
    text: String,
}

fn text(text: impl Into<String>) -> Post {
    Post { text: text.into() }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Said {
    text: String,
    from: String,
}

impl Outgoing for Said {
    const TYPE: &'static str = "chat.message";
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Posted {
    length: usize,
}

/// What the servers of a test have in common.
#[derive(Clone, Default)]
struct World {
    names: Arc<Mutex<Vec<String>>>,
    waiting: Arc<AtomicU32>,
    /// Connections that the server has seen go.
    gone: Arc<AtomicU32>,
}

impl World {
    fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }

    /// The app, and its contract's hash.
    fn app(&self) -> (UpgradeService, String) {
        async fn connect(world: World, headers: Headers, _: ClientId) -> Result<String, Error> {
            world.names.lock().unwrap().push(headers.name.clone());
            match headers.name.as_str() {
                "stranger" => Err(Error::unauthorized("who are you?")),
                "eager" => Err(Error::too_many_requests(Duration::from_secs(7))),
                _ => Ok(headers.name),
            }
        }
        let (waiting, gone) = (self.waiting.clone(), self.gone.clone());
        let zo = Zocket::builder()
            .on_connect_with(self.clone(), connect)
            .on_open(async |cx: Context<String>| cx.rooms().join("lobby"))
            .on_disconnect(move |_: Context<String>| {
                gone.fetch_add(1, Ordering::SeqCst);
                std::future::ready(())
            })
            .limits(Limits {
                message: 100_000,
                ..Limits::default()
            })
            .build();
        let post = async |cx: Context<String>, post: Post| {
            let length = post.text.len();
            let said = Said {
                text: post.text,
                from: cx.to_string(),
            };
            cx.send(said).to_room("lobby");
            Ok::<_, Error>(Posted { length })
        };
        let wait = move |_: Context<String>| {
            waiting.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<Result<(), Error>>()
        };
        let refuse = async |_: Context<String>| Err::<(), _>(Error::conflict("no"));
        let router = zo
            .router()
            .outgoing::<Said>()
            .incoming("post", zo.message().input::<Post>().handle(post))
            .incoming(
                "nothing",
                zo.message().handle(async |_: Context<String>| Ok::<_, Error>(())),
            )
            .incoming("wait", zo.message().handle(wait))
            .incoming("refuse", zo.message().handle(refuse));
        let hash = router.contract().hash();
        (zo.serve(router), hash)
    }

    async fn serve(&self) -> Server {
        serve(self.app().0).await
    }
}

async fn connect(server: &Server) -> Client {
    let headers = Headers { name: "bot".into() };
    let builder = Client::builder(server.url("")).headers(&headers).unwrap();
    builder.connect().await.unwrap()
}

/// Polls once. Whether it is pending.
async fn begins(work: &mut (impl Future + Unpin)) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *work).poll(cx).is_pending())).await
}

/// Nothing takes longer than the tests' patience.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}

/// A server with a runtime of its own, which dies with it: sockets and all.
struct Mortal {
    addr: SocketAddr,
    runtime: Runtime,
}

impl Mortal {
    async fn serve(world: &World, addr: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let app = world.app().0;
        let serving = async move {
            let listener = TcpListener::bind(addr).await.unwrap();
            let addr = listener.local_addr().unwrap();
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let service = TowerToHyperService::new(app.clone());
                    let http = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    tokio::spawn(http.with_upgrades());
                }
            });
            addr
        };
        let addr = runtime.spawn(serving).await.unwrap();
        Self { addr, runtime }
    }

    async fn die(self) {
        let dying = tokio::task::spawn_blocking(move || self.runtime.shutdown_timeout(PATIENCE));
        dying.await.unwrap();
    }
}

type ServerSide = WebSocketStream<TcpStream>;

/// A server of the test's own: what it does with each connection, once it has welcomed it.
async fn fake<Fut>(behave: impl Fn(ServerSide, u32) -> Fut + Send + Sync + 'static) -> Server
where
    Fut: Future<Output = ()> + Send,
{
    common::listen(move |listener| async move {
        for n in 1.. {
            let (stream, _) = listener.accept().await.unwrap();
            #[allow(clippy::result_large_err, reason = "the library's")]
            let pick = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
                let offered = request.headers()["sec-websocket-protocol"].clone();
                response.headers_mut().insert("sec-websocket-protocol", offered);
                Ok(response)
            };
            let mut socket = accept_hdr_async(stream, pick).await.unwrap();
            let welcome = json!({ "type": "__welcome", "payload": {
                "clientId": ClientId::random(), "contract": "0", "limits": { "message": 1 << 20 },
            }});
            socket.send(Message::text(welcome.to_string())).await.unwrap();
            behave(socket, n).await;
        }
    })
    .await
}

/// A server that answers each handshake with this, and counts them.
async fn refusing(answer: &'static str) -> (Server, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let counting = count.clone();
    let server = common::listen(move |listener| async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            counting.fetch_add(1, Ordering::SeqCst);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (server.await, count)
}

/// A builder that does not wait for long.
fn hasty(url: String) -> zocket::client::Builder {
    Client::builder(url).backoff(Duration::from_millis(1), Duration::from_millis(5))
}

async fn status(client: &Client, is: impl FnMut(&Status) -> bool) -> Status {
    let mut statuses = client.statuses();
    soon(statuses.wait_for(is)).await.unwrap().clone()
}

#[tokio::test]
async fn a_call_is_answered_in_the_callers_types() {
    let world = World::default();
    let client = connect(&world.serve().await).await;
    let posted: Posted = client.call("post", &text("hello")).await.unwrap();
    assert_eq!(posted, Posted { length: 5 });
    let () = client.call("nothing", &()).await.unwrap();
    let error = client.call::<String>("post", &text("hello")).await.unwrap_err();
    assert!(matches!(error, CallError::Decode(_)), "{error}");
    let ill = std::collections::HashMap::from([((1, 2), 3)]);
    let error = client.call::<()>("post", &ill).await.unwrap_err();
    assert!(matches!(error, CallError::Encode(_)), "{error}");
}

#[tokio::test]
async fn a_refusal_comes_with_its_code_and_its_issues() {
    let world = World::default();
    let client = connect(&world.serve().await).await;
    let error = client.call::<Posted>("post", &text("")).await.unwrap_err();
    let refusal = error.refusal().unwrap();
    assert!(refusal.is(Code::BAD_REQUEST));
    assert_eq!(refusal.issues.len(), 1);
    assert_eq!(refusal.issues[0].path, ["text".into()]);
    assert_eq!(refusal.issues[0].code, "min_length");
    assert_eq!(refusal.issues[0].params["min"], 1);
    let error = client.call::<()>("refuse", &()).await.unwrap_err();
    assert_eq!(error.to_string(), "CONFLICT: no");
}

#[tokio::test]
async fn the_welcome_tells_who_the_client_is_and_what_the_server_speaks() {
    let world = World::default();
    let client = connect(&world.serve().await).await;
    assert!(client.client_id().is_some());
    assert_eq!(client.contract(), Some(world.app().1));
    let Status::Open(welcome) = client.status() else {
        panic!("{client:?}");
    };
    assert_eq!(welcome.max_message(), 100_000);
}

#[tokio::test]
async fn a_message_that_the_server_would_not_take_is_not_sent() {
    let world = World::default();
    let client = connect(&world.serve().await).await;
    let error = client
        .call::<Posted>("post", &text("x".repeat(100_000)))
        .await
        .unwrap_err();
    assert!(
        matches!(error, CallError::TooLarge { limit: 100_000, bytes } if bytes > 100_000),
        "{error}"
    );
    let _: Posted = client.call("post", &text("x")).await.unwrap();
    assert_eq!(world.names(), ["bot"], "the connection is the same");
}

#[tokio::test]
async fn events_are_a_stream_of_the_servers_own_types() {
    let world = World::default();
    let server = world.serve().await;
    let (one, other) = (connect(&server).await, connect(&server).await);
    let mut said = one.on::<Said>();
    let _: Posted = other.call("post", &text("hi")).await.unwrap();
    let expected = Said {
        text: "hi".into(),
        from: "bot".into(),
    };
    assert_eq!(soon(said.next()).await.unwrap().unwrap(), expected);
}

#[tokio::test]
async fn failures_of_messages_without_an_answer_are_told() {
    let world = World::default();
    let client = connect(&world.serve().await).await;
    let mut errors = client.errors();
    client.send("refuse", &()).await.unwrap();
    let error = soon(errors.next()).await.unwrap().unwrap();
    assert_eq!(error.route.as_deref(), Some("refuse"));
    assert!(error.refusal.is(Code::CONFLICT));
}

#[tokio::test]
async fn a_dropped_stream_unsubscribes() {
    let world = World::default();
    let client = connect(&world.serve().await).await;
    let (said, errors) = (client.on::<Said>(), client.errors());
    assert!(format!("{client:?}").contains("streams: 2"), "{client:?}");
    drop(said);
    assert!(format!("{client:?}").contains("streams: 1"), "{client:?}");
    drop(errors);
    assert!(format!("{client:?}").contains("streams: 0"), "{client:?}");
}

#[tokio::test]
async fn a_stream_that_lags_loses_the_oldest_and_is_told() {
    let world = World::default();
    let server = world.serve().await;
    let builder = Client::builder(server.url("name=bot")).event_buffer(2);
    let client = builder.connect().await.unwrap();
    let mut said = client.on::<Said>();
    for n in 0..5 {
        // The event comes before the answer.
        let _: Posted = client.call("post", &text(n.to_string())).await.unwrap();
    }
    let lagged = soon(said.next()).await.unwrap().unwrap_err();
    assert!(matches!(lagged, EventError::Lagged(3)), "{lagged}");
    for n in [3, 4] {
        assert_eq!(soon(said.next()).await.unwrap().unwrap().text, n.to_string());
    }
}

#[tokio::test]
async fn an_event_of_another_shape_is_an_error_and_the_stream_goes_on() {
    let server = fake(async |mut socket, _| {
        for payload in [json!({ "text": 1 }), json!({ "text": "a", "from": "b" })] {
            let frame = json!({ "type": "chat.message", "payload": payload });
            socket.send(Message::text(frame.to_string())).await.unwrap();
        }
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let client = Client::builder(server.url("")).start().unwrap();
    let mut said = client.on::<Said>();
    assert!(matches!(
        soon(said.next()).await,
        Some(Err(EventError::Decode(_)))
    ));
    assert_eq!(soon(said.next()).await.unwrap().unwrap().text, "a");
}

#[tokio::test]
async fn a_call_that_is_not_answered_in_time_fails() {
    let world = World::default();
    let client = connect(&world.serve().await).await;
    let options = CallOptions {
        timeout: Duration::from_millis(20),
        ..CallOptions::default()
    };
    let error = client.call_with::<()>("wait", &(), options).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout), "{error}");
}

#[tokio::test]
async fn calls_made_before_it_is_open_wait() {
    let world = World::default();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let client = hasty(format!("ws://{addr}?name=bot")).start().unwrap();
    let mut said = client.on::<Said>();
    status(&client, |status| matches!(status, Status::Waiting { .. })).await;
    let impatient = CallOptions {
        wait: false,
        ..CallOptions::default()
    };
    let error = client
        .call_with::<()>("nothing", &(), impatient)
        .await
        .unwrap_err();
    assert!(
        matches!(error, CallError::Disconnected { sent: Sent::No }),
        "{error}"
    );
    let calling = tokio::spawn({
        let client = client.clone();
        async move { client.call::<Posted>("post", &text("early")).await }
    });
    let server = Mortal::serve(&world, addr).await;
    assert_eq!(soon(calling).await.unwrap().unwrap().length, 5);
    assert_eq!(soon(said.next()).await.unwrap().unwrap().text, "early");
    server.die().await;
}

#[tokio::test]
async fn it_comes_back_to_a_server_that_died_and_says_what_became_of_the_calls() {
    let world = World::default();
    let server = Mortal::serve(&world, "127.0.0.1:0".parse().unwrap()).await;
    let addr = server.addr;
    let client = hasty(format!("ws://{addr}?name=bot")).connect().await.unwrap();
    let before = client.client_id();
    let mut said = client.on::<Said>();
    let pending = tokio::spawn({
        let client = client.clone();
        async move { client.call::<()>("wait", &()).await }
    });
    until(|| world.waiting.load(Ordering::SeqCst) == 1).await;
    server.die().await;
    let error = soon(pending).await.unwrap().unwrap_err();
    assert!(
        matches!(error, CallError::Disconnected { sent: Sent::Unknown }),
        "{error}"
    );
    status(&client, |status| !status.is_open()).await;

    let server = Mortal::serve(&world, addr).await;
    let posted: Posted = client.call("post", &text("again")).await.unwrap();
    assert_eq!(posted.length, 5);
    assert_eq!(soon(said.next()).await.unwrap().unwrap().text, "again");
    assert_ne!(client.client_id(), before);
    server.die().await;
}

#[tokio::test]
async fn calls_that_the_server_did_not_take_are_known_not_to_be_sent() {
    let dead = Arc::new(Semaphore::new(0));
    let die = dead.clone();
    let server = fake(move |socket, n| {
        let die = die.clone();
        async move {
            // The first connection is not read, and ends when the test says so.
            if n == 1 {
                die.acquire().await.unwrap().forget();
            } else {
                std::future::pending::<()>().await;
            }
            drop(socket);
        }
    })
    .await;
    let client = hasty(server.url("")).connect().await.unwrap();
    // 64 MB are more than the sockets' buffers hold.
    let large = text("x".repeat(1_000_000));
    let mut calls: Vec<_> = (0..64)
        .map(|_| Box::pin(client.call::<()>("post", &large)))
        .collect();
    for call in &mut calls {
        assert!(begins(call).await);
        // The driver's turn: it writes what it can.
        tokio::task::yield_now().await;
    }
    dead.add_permits(1);
    let mut ends = Vec::new();
    for call in calls {
        match soon(call).await {
            Err(CallError::Disconnected { sent }) => ends.push(sent),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ends.first(), Some(&Sent::Unknown));
    assert_eq!(ends.last(), Some(&Sent::No));
    assert!(
        ends.is_sorted_by_key(|sent| *sent == Sent::No),
        "in order: {ends:?}"
    );
}

#[tokio::test]
async fn headers_are_made_anew_at_each_attempt() {
    let world = World::default();
    let server = Mortal::serve(&world, "127.0.0.1:0".parse().unwrap()).await;
    let addr = server.addr;
    let made = Arc::new(AtomicU32::new(0));
    let client = hasty(format!("ws://{addr}"))
        .headers_with(move || {
            let n = made.fetch_add(1, Ordering::SeqCst);
            async move {
                match n {
                    1 => Err("no token to be had".into()),
                    n => Ok(Headers {
                        name: format!("bot {n}"),
                    }),
                }
            }
        })
        .connect()
        .await
        .unwrap();
    assert_eq!(world.names(), ["bot 0"]);
    client.reconnect();
    until(|| world.names().len() == 2).await;
    assert_eq!(world.names(), ["bot 0", "bot 2"], "the second attempt had none");
    server.die().await;
}

#[tokio::test]
async fn headers_that_no_field_can_carry_arrive() {
    let world = World::default();
    let server = world.serve().await;
    for name in ["Zoë", "two\nlines", " spaces ", "a&b=c+d%20"] {
        let headers = Headers { name: name.into() };
        let client = Client::builder(server.url("")).headers(&headers).unwrap();
        soon(client.connect()).await.unwrap();
    }
    assert_eq!(world.names(), ["Zoë", "two\nlines", " spaces ", "a&b=c+d%20"]);
}

#[tokio::test]
async fn a_refused_handshake_is_final_and_says_why() {
    let world = World::default();
    let server = world.serve().await;
    let client = hasty(server.url("name=stranger")).start().unwrap();
    let mut said = client.on::<Said>();
    let outage = soon(client.ready()).await.unwrap_err();
    let Outage::Refused { status, refusal } = &outage else {
        panic!("{outage}");
    };
    assert_eq!(
        (*status, refusal.to_string().as_str()),
        (401, "UNAUTHORIZED: who are you?")
    );
    assert!(client.status().is_closed());
    assert!(soon(said.next()).await.is_none());
    let error = client.call::<()>("nothing", &()).await.unwrap_err();
    assert!(matches!(error, CallError::Closed), "{error}");
    assert_eq!(world.names().len(), 1, "it does not try again");

    let outage = soon(hasty(server.url("name=")).connect()).await.unwrap_err();
    let Outage::Refused { status: 400, refusal } = &outage else {
        panic!("{outage}");
    };
    assert_eq!(refusal.issues[0].path, ["name".into()]);
}

#[tokio::test]
async fn a_server_that_wants_patience_gets_it() {
    let world = World::default();
    let server = world.serve().await;
    let client = hasty(server.url("name=eager")).start().unwrap();
    let waiting = status(&client, |status| matches!(status, Status::Waiting { .. })).await;
    let Status::Waiting { delay, outage, .. } = waiting else {
        unreachable!("it was waited for");
    };
    assert!(delay >= Duration::from_secs(7), "{delay:?}");
    assert!(matches!(outage, Outage::Refused { status: 429, .. }), "{outage}");
}

#[tokio::test]
async fn a_server_in_trouble_is_tried_again() {
    let (server, count) = refusing("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 5\r\n\r\noops!").await;
    let outage = soon(hasty(server.url("")).connect()).await.unwrap_err();
    assert_eq!(
        outage.to_string(),
        "the server refuses (502): INTERNAL_SERVER_ERROR: oops!"
    );
    let client = hasty(server.url("")).start().unwrap();
    until(|| count.load(Ordering::SeqCst) >= 4).await;
    assert!(!client.status().is_closed());
}

#[tokio::test]
async fn a_server_of_another_protocol_is_final() {
    let (server, _) = refusing("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    let outage = soon(hasty(server.url("")).start().unwrap().ready())
        .await
        .unwrap_err();
    assert!(matches!(outage, Outage::Refused { status: 200, .. }), "{outage}");

    let plain = common::listen(|listener| async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let outage = soon(hasty(plain.url("")).start().unwrap().ready())
        .await
        .unwrap_err();
    assert!(matches!(outage, Outage::Incompatible(_)), "{outage}");
}

#[tokio::test]
async fn a_server_that_never_welcomes_is_given_up() {
    let silent = common::listen(|listener| async move {
        let (stream, _) = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let builder = hasty(silent.url("")).connect_timeout(Duration::from_millis(20));
    let outage = soon(builder.connect()).await.unwrap_err();
    assert!(matches!(outage, Outage::Timeout), "{outage}");
}

#[tokio::test]
async fn a_server_that_falls_silent_is_asked_and_then_given_up() {
    let pings = Arc::new(AtomicU32::new(0));
    let seen = pings.clone();
    let server = fake(move |socket, n| {
        let seen = seen.clone();
        async move {
            if n > 1 {
                return std::future::pending().await;
            }
            // Below the library, which would answer.
            let mut raw = socket.into_inner();
            let first = raw.read_u8().await.unwrap();
            seen.fetch_add(u32::from(first == 0x89), Ordering::SeqCst);
            while raw.read_u8().await.is_ok() {}
        }
    })
    .await;
    let builder = hasty(server.url("")).ping(Duration::from_millis(20), Duration::from_millis(20));
    let client = builder
        .backoff(Duration::from_secs(60), Duration::from_secs(60))
        .connect()
        .await
        .unwrap();
    let waiting = status(&client, |status| matches!(status, Status::Waiting { .. })).await;
    assert!(
        matches!(
            waiting,
            Status::Waiting {
                outage: Outage::Silent,
                ..
            }
        ),
        "{waiting:?}"
    );
    until(|| pings.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_server_that_answers_pings_is_asked_again_and_kept() {
    let pings = Arc::new(AtomicU32::new(0));
    let seen = pings.clone();
    let server = fake(move |mut socket, _| {
        let seen = seen.clone();
        async move {
            while let Some(Ok(message)) = socket.next().await {
                seen.fetch_add(u32::from(message.is_ping()), Ordering::SeqCst);
            }
        }
    })
    .await;
    let builder = Client::builder(server.url("")).ping(Duration::from_millis(5), PATIENCE * 2);
    let client = builder.connect().await.unwrap();
    let id = client.client_id();
    until(|| pings.load(Ordering::SeqCst) >= 3).await;
    assert_eq!(client.client_id(), id);
}

/// The outage after a close with this code, and whether it is final.
async fn closed_with(code: u16) -> (bool, Outage) {
    let server = fake(move |mut socket, _| async move {
        let close = CloseFrame {
            code: code.into(),
            reason: "because".into(),
        };
        socket.close(Some(close)).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let client = Client::builder(server.url(""))
        .come_back_on(4100..=4199)
        .start()
        .unwrap();
    let decided = |status: &Status| matches!(status, Status::Waiting { .. } | Status::Closed(_));
    match status(&client, decided).await {
        Status::Waiting { outage, .. } => (false, outage),
        Status::Closed(outage) => (true, outage),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_close_code_says_whether_to_come_back() {
    for (code, is_final) in [
        (1000, false),
        (1001, false),
        (1011, false),
        (3002, false),
        (4100, false),
        (1002, false),
        (1009, false),
        (1008, true),
        (3500, true),
        (4000, true),
    ] {
        let (was_final, outage) = closed_with(code).await;
        assert_eq!(was_final, is_final, "{outage}");
        assert!(matches!(outage, Outage::Closed { code: c, reason } if c == code && reason == "because"));
    }
}

#[tokio::test]
async fn close_is_final_and_the_server_is_told() {
    let world = World::default();
    let server = world.serve().await;
    let client = connect(&server).await;
    let mut said = client.on::<Said>();
    let other = client.clone();
    let pending = tokio::spawn(async move { other.call::<()>("wait", &()).await });
    until(|| world.waiting.load(Ordering::SeqCst) == 1).await;
    soon(client.close()).await;
    let error = soon(pending).await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Closed), "{error}");
    assert!(soon(said.next()).await.is_none());
    assert!(matches!(client.status(), Status::Closed(Outage::Asked)));
    client.reconnect();
    let error = client.call::<()>("nothing", &()).await.unwrap_err();
    assert!(matches!(error, CallError::Closed), "{error}");
    assert_eq!(world.names().len(), 1);
    // A connection without a handler that hangs: the server sees it go.
    let client = connect(&server).await;
    soon(client.close()).await;
    until(|| world.gone.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn the_last_handle_that_is_dropped_says_goodbye() {
    let closes = Arc::new(Mutex::new(Vec::new()));
    let seen = closes.clone();
    let server = fake(move |mut socket, _| {
        let seen = seen.clone();
        async move {
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Close(Some(close)) = message {
                    seen.lock().unwrap().push(u16::from(close.code));
                }
            }
        }
    })
    .await;
    let client = Client::builder(server.url("")).connect().await.unwrap();
    let (mut said, mut statuses) = (client.on::<Said>(), client.statuses());
    drop(client.clone());
    assert!(client.status().is_open());
    drop(client);
    assert!(soon(said.next()).await.is_none());
    soon(statuses.wait_for(Status::is_closed)).await.unwrap();
    assert_eq!(*closes.lock().unwrap(), [1000]);
}

#[tokio::test]
async fn a_call_that_was_given_up_before_it_was_sent_never_is() {
    let types = Arc::new(Mutex::new(Vec::new()));
    let seen = types.clone();
    let go = Arc::new(Semaphore::new(0));
    let gate = go.clone();
    let server = fake(move |mut socket, _| {
        let seen = seen.clone();
        async move {
            while let Some(Ok(Message::Text(frame))) = socket.next().await {
                let frame: Value = serde_json::from_str(&frame).unwrap();
                seen.lock()
                    .unwrap()
                    .push(frame["type"].as_str().unwrap().to_owned());
                let answer = json!({ "type": "__rpc_res", "rpcId": frame["rpcId"] });
                socket.send(Message::text(answer.to_string())).await.unwrap();
            }
        }
    })
    .await;
    let client = Client::builder(server.url(""))
        .headers_with(move || {
            let gate = gate.clone();
            async move {
                gate.acquire().await?.forget();
                Ok(())
            }
        })
        .start()
        .unwrap();
    let mut dropped = Box::pin(client.call::<()>("dropped", &()));
    assert!(begins(&mut dropped).await);
    drop(dropped);
    go.add_permits(1);
    let () = soon(client.call("kept", &())).await.unwrap();
    assert_eq!(*types.lock().unwrap(), ["kept"]);
}

#[tokio::test]
async fn one_call_too_many_waits_for_its_turn() {
    let world = World::default();
    let server = world.serve().await;
    let client = Client::builder(server.url("name=bot"))
        .max_calls(1)
        .connect()
        .await
        .unwrap();
    let mut first = Box::pin(client.call::<()>("wait", &()));
    assert!(begins(&mut first).await);
    let post = text("x");
    let mut second = Box::pin(client.call::<Posted>("post", &post));
    assert!(begins(&mut second).await);
    until(|| world.waiting.load(Ordering::SeqCst) == 1).await;
    assert!(begins(&mut second).await);
    // The server handles one after the other: only another connection frees it.
    client.reconnect();
    let error = soon(first).await.unwrap_err();
    assert!(
        matches!(error, CallError::Disconnected { sent: Sent::Unknown }),
        "{error}"
    );
    assert_eq!(soon(second).await.unwrap().length, 1);
    assert_eq!(world.names().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn waits_grow_and_begin_again_only_when_told_to() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let noting = times.clone();
    let (floor, cap) = (Duration::from_secs(1), Duration::from_secs(10));
    let client = Client::builder("ws://127.0.0.1:1")
        .backoff(floor, cap)
        .headers_with(move || {
            noting.lock().unwrap().push(Instant::now());
            async { Err::<(), _>("no".into()) }
        })
        .start()
        .unwrap();
    let after = |attempts| move |status: &Status| matches!(status, Status::Waiting { attempts: n, .. } if *n == attempts);
    let mut statuses = client.statuses();
    statuses.wait_for(after(40)).await.unwrap();
    let gaps: Vec<_> = times
        .lock()
        .unwrap()
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect();
    // A timer rounds up to the next millisecond.
    let tick = Duration::from_millis(1);
    for (n, gap) in (1..).zip(&gaps) {
        let ceiling = cap.min(floor * 2_u32.pow(n.min(10)));
        assert!((floor..=ceiling + tick).contains(gap), "{n}: {gap:?}");
    }
    assert_eq!(gaps.len(), 39);
    assert!(gaps.iter().any(|gap| *gap > Duration::from_secs(5)), "{gaps:?}");
    assert_ne!(gaps[10], gaps[11]);
    // Asked to, it does not wait for the end of the wait, and begins at the floor.
    let asked = Instant::now();
    client.reconnect();
    statuses.wait_for(after(1)).await.unwrap();
    assert_eq!(*times.lock().unwrap().last().unwrap(), asked);
}

#[tokio::test]
async fn a_connection_that_did_not_prove_itself_does_not_count() {
    async fn attempts_after_five_breaks(proven_after: Duration) -> u32 {
        let breaks = Arc::new(Semaphore::new(0));
        let broken = breaks.clone();
        let server = fake(move |socket, _| {
            broken.add_permits(1);
            drop(socket);
            std::future::ready(())
        })
        .await;
        let client = hasty(server.url("")).proven_after(proven_after).start().unwrap();
        soon(breaks.acquire_many(5)).await.unwrap().forget();
        match status(&client, |status| matches!(status, Status::Waiting { .. })).await {
            Status::Waiting { attempts, .. } => attempts,
            other => panic!("{other:?}"),
        }
    }
    assert!(attempts_after_five_breaks(Duration::from_secs(60)).await >= 4);
    assert_eq!(attempts_after_five_breaks(Duration::ZERO).await, 1);
}

#[tokio::test]
async fn what_can_t_work_is_said_at_once() {
    let url = |url: &str| Client::builder(url).start().unwrap_err();
    assert!(matches!(url("nonsense"), BuildError::Url(_)));
    assert!(matches!(url("http://127.0.0.1"), BuildError::Url(_)));
    #[cfg(not(feature = "client-rustls"))]
    assert!(matches!(url("wss://127.0.0.1"), BuildError::Url(_)));
    let builder = Client::builder("ws://127.0.0.1");
    assert!(matches!(
        builder.headers(&json!({ "n": 1 })),
        Err(BuildError::Headers(_))
    ));
    // Headers of the wrong shape stay so: another attempt would not help.
    let client = Client::builder("ws://127.0.0.1")
        .headers_with(async || Ok(1))
        .start()
        .unwrap();
    let outage = soon(client.ready()).await.unwrap_err();
    assert!(
        matches!(outage, Outage::Build(BuildError::Headers(_))),
        "{outage}"
    );
}
