//! The span of a message: its name, fields and outcome.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

#[path = "layers/support/failed.rs"]
mod failed;

use std::{collections::BTreeMap, fmt, future::pending, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, buffer::Buffer, service_fn};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use zocket_layers::{
    Answer, Code, Connection, Context, ContextLayer, Error, Message, Outcome, RawPayload, Reply, RescueLayer,
    RpcId, TraceLayer, ValidateLayer, handler_fn,
};

use self::failed::{Bid, Failed};

type Fields = BTreeMap<&'static str, String>;

/// A subscriber that keeps all spans, and the span of each event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    spans: Vec<(Level, Fields)>,
    entered: Vec<u64>,
    /// Each event's text with the name of its span.
    events: Vec<(String, Option<u64>)>,
    max: Option<Level>,
}

struct Put<'a>(&'a mut Fields);

impl Visit for Put<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.lock().max.is_none_or(|max| *metadata.level() <= max)
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut fields = Fields::new();
        attributes.record(&mut Put(&mut fields));
        let spans = &mut self.0.lock().spans;
        spans.push((*attributes.metadata().level(), fields));
        span::Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        let spans = &mut self.0.lock().spans;
        values.record(&mut Put(&mut spans[span.into_u64() as usize - 1].1));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Put(&mut fields));
        let mut kept = self.0.lock();
        let within = kept.entered.last().copied();
        kept.events.push((fields["message"].clone(), within));
    }

    fn enter(&self, span: &span::Id) {
        self.0.lock().entered.push(span.into_u64());
    }

    fn exit(&self, _: &span::Id) {
        self.0.lock().entered.pop();
    }
}

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    fn fields(&self) -> Fields {
        let kept = self.0.lock();
        assert_eq!(kept.spans.len(), 1);
        kept.spans[0].1.clone()
    }

    fn outcome(&self) -> String {
        self.fields()["outcome"].clone()
    }
}

fn message() -> Message {
    let payload = RawPayload::json(r#""a secret""#);
    let mut message = Message::new(Connection::detached(()), "chat.post", payload);
    message
        .parts_mut()
        .set_rpc_id(Some(RpcId::string("a-17").unwrap()));
    message
}

/// A service that ends with the result of `end`.
fn ending(
    end: fn() -> Result<Reply, BoxError>,
) -> impl Service<Message, Response = Reply, Error = BoxError, Future: Send> + Clone {
    service_fn(move |_: Message| async move {
        tracing::info!("handled");
        end()
    })
}

#[tokio::test]
async fn a_message_has_a_span_with_its_route_client_and_id_and_without_its_payload() {
    let log = Log::default();
    let listening = log.listen();
    let message = message();
    let client = message.parts().connection().client_id();
    let service = TraceLayer::new().layer(ending(|| Ok(Reply::of(&"an answer")?)));
    service.oneshot(message).await.unwrap();
    drop(listening);
    let fields = log.fields();
    assert_eq!(fields["route"], "chat.post");
    assert_eq!(fields["client"], client.to_string());
    assert_eq!(fields["rpc_id"], "\"a-17\"");
    assert_eq!(fields["outcome"], "ok");
    assert!(fields.contains_key("latency"));
    assert_eq!(fields.len(), 5, "{fields:?}");
}

#[tokio::test]
async fn a_message_that_wants_no_answer_has_no_id_in_its_span() {
    let log = Log::default();
    let _listening = log.listen();
    let mut message = message();
    message.parts_mut().set_rpc_id(None);
    let service = TraceLayer::new().layer(ending(|| Ok(Reply::empty())));
    service.oneshot(message).await.unwrap();
    assert!(!log.fields().contains_key("rpc_id"));
}

#[tokio::test]
async fn events_logged_by_the_handler_stay_in_the_span_across_awaits() {
    let log = Log::default();
    let listening = log.listen();
    let handler = async |_: Context<()>| {
        tracing::info!("before");
        tokio::task::yield_now().await;
        tracing::info!("after");
        Ok(())
    };
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new())
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<()>::new())
        .service(handler_fn(handler));
    service.oneshot(message()).await.unwrap();
    tracing::info!("outside");
    drop(listening);
    let events = log.0.lock().events.clone();
    assert_eq!(
        events,
        [
            ("before".into(), Some(1)),
            ("after".into(), Some(1)),
            ("outside".into(), None)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_recorded_outcome_is_the_code_that_the_client_receives() {
    for (end, code) in [
        (
            (|| Err(Error::forbidden("no").into())) as fn() -> Result<Reply, BoxError>,
            Code::FORBIDDEN,
        ),
        (
            || Err(tower::timeout::error::Elapsed::new().into()),
            Code::TIMEOUT,
        ),
        (
            || Err(tower::load_shed::error::Overloaded::new().into()),
            Code::OVERLOADED,
        ),
        (
            || Err("the database password is 1234".into()),
            Code::INTERNAL_SERVER_ERROR,
        ),
        (|| panic!("secret"), Code::INTERNAL_SERVER_ERROR),
    ] {
        let log = Log::default();
        let _listening = log.listen();
        let service = ServiceBuilder::new()
            .layer(RescueLayer::new())
            .layer(TraceLayer::new())
            .service(ending(end));
        let outcome = service.oneshot(message()).await.unwrap();
        assert_eq!(outcome.refusal(), Some(code));
        assert_eq!(log.outcome(), code.as_str());
        assert!(!format!("{:?}", log.fields()).contains("1234"));
    }
}

#[tokio::test]
async fn a_refusal_is_not_recorded_as_success_outside_rescue() {
    let log = Log::default();
    let _listening = log.listen();
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new())
        .layer(RescueLayer::new())
        .service(ending(|| Err(Error::conflict("no").into())));
    let outcome = service.oneshot(message()).await.unwrap();
    assert!(matches!(outcome, Outcome::Refused(_)));
    assert_eq!(log.outcome(), "CONFLICT");
}

#[tokio::test(start_paused = true)]
async fn a_message_dropped_by_an_outer_layer_is_recorded_as_dropped_with_its_latency() {
    let log = Log::default();
    let _listening = log.listen();
    let service = ServiceBuilder::new()
        .timeout(Duration::from_secs(1))
        .layer(TraceLayer::new())
        .service(service_fn(async |_: Message| {
            pending::<()>().await;
            Ok::<_, BoxError>(Reply::empty())
        }));
    service.oneshot(message()).await.unwrap_err();
    assert_eq!(log.outcome(), "dropped");
    let latency = &log.fields()["latency"];
    assert!(latency.starts_with('1') && latency.ends_with('s'), "{latency}");
}

#[tokio::test]
async fn the_level_of_the_span_can_be_chosen() {
    for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
        let log = Log::default();
        let _listening = log.listen();
        let service = TraceLayer::new()
            .level(level)
            .layer(ending(|| Ok(Reply::empty())));
        service.oneshot(message()).await.unwrap();
        assert_eq!(log.0.lock().spans[0].0, level);
    }
}

#[tokio::test]
async fn a_disabled_span_is_not_created() {
    let log = Log::default();
    log.0.lock().max = Some(Level::WARN);
    let _listening = log.listen();
    let service = TraceLayer::new().layer(ending(|| Ok(Reply::empty())));
    service.oneshot(message()).await.unwrap();
    assert!(log.0.lock().spans.is_empty());
}

#[tokio::test]
async fn a_route_is_truncated_and_escaped_in_the_log() {
    let log = Log::default();
    let _listening = log.listen();
    let route = format!("a\nb\u{1b}[31m{}", "x".repeat(1000));
    let message = Message::new(Connection::detached(()), route, RawPayload::absent());
    let service = TraceLayer::new().layer(ending(|| Ok(Reply::empty())));
    service.oneshot(message).await.unwrap();
    let route = log.fields()["route"].clone();
    assert!(route.starts_with("a\\nb\\u{1b}[31mxx"), "{route}");
    assert!(route.len() < 120);
}

/// Calls a service that ends with the result of `end`, and returns the fields of the call's span.
async fn called(end: impl FnMut() -> Result<u32, BoxError> + Clone + Send + 'static) -> Fields {
    let log = Log::default();
    let _listening = log.listen();
    let mut end = end;
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new().calls::<Failed>())
        .service(service_fn(move |_: Bid| std::future::ready(end())));
    drop(service.oneshot(Bid).await);
    log.fields()
}

#[tokio::test]
async fn a_call_has_a_span_with_its_route_outcome_and_latency() {
    let fields = called(|| Ok(7)).await;
    assert_eq!(fields["route"], "lot.bid");
    assert_eq!(fields["outcome"], "ok");
    assert!(fields.contains_key("latency"));
    assert_eq!(fields.len(), 3, "{fields:?}");
}

#[tokio::test]
async fn the_recorded_outcome_of_a_call_is_its_refusal_or_its_failure() {
    let refused = |code: &str| -> Result<u32, BoxError> { Err(Failed::Refused(code.to_owned()).into()) };
    let outcome = async |end: fn() -> Result<u32, BoxError>| called(end).await["outcome"].clone();
    assert_eq!(called(move || refused("OUTBID")).await["outcome"], "OUTBID");
    let long = called(move || refused(&"X".repeat(1000))).await["outcome"].clone();
    assert_eq!(long, "X".repeat(100));
    assert_eq!(outcome(|| Err(Failed::Disconnected.into())).await, "disconnected");
    assert_eq!(outcome(|| Err(Error::forbidden("no").into())).await, "FORBIDDEN");
    assert_eq!(
        outcome(|| Err(tower::timeout::error::Elapsed::new().into())).await,
        "timeout"
    );
    assert_eq!(
        outcome(|| Err(tower::load_shed::error::Overloaded::new().into())).await,
        "shed"
    );
    assert_eq!(outcome(|| Err("an error of a middleware".into())).await, "failed");
}

/// Middleware such as a buffer hides the client's error behind its own.
#[tokio::test]
async fn the_failure_of_a_call_is_found_among_the_sources_of_its_error() {
    let log = Log::default();
    let _listening = log.listen();
    #[derive(Clone)]
    struct Unready;
    impl Service<Bid> for Unready {
        type Response = u32;
        type Error = BoxError;
        type Future = std::future::Pending<Result<u32, BoxError>>;

        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
            std::task::Poll::Ready(Err(Failed::Disconnected.into()))
        }

        fn call(&mut self, _: Bid) -> Self::Future {
            pending()
        }
    }
    let service = TraceLayer::new().calls::<Failed>().layer(Buffer::new(Unready, 1));
    service.oneshot(Bid).await.unwrap_err();
    assert_eq!(log.outcome(), "disconnected");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_result_is_recorded_as_dropped_or_panicked() {
    let log = Log::default();
    let listening = log.listen();
    let service = ServiceBuilder::new()
        .timeout(Duration::from_secs(1))
        .layer(TraceLayer::new().calls::<Failed>())
        .service(service_fn(async |_: Bid| {
            pending::<()>().await;
            Ok::<_, BoxError>(7)
        }));
    service.oneshot(Bid).await.unwrap_err();
    assert_eq!(log.outcome(), "dropped");
    drop(listening);

    let log = Log::default();
    let _listening = log.listen();
    let service = TraceLayer::new()
        .level(Level::DEBUG)
        .calls::<Failed>()
        .layer(service_fn(async |_: Bid| -> Result<u32, BoxError> {
            panic!("as the test wants it")
        }));
    tokio::spawn(service.oneshot(Bid)).await.unwrap_err();
    assert_eq!(log.outcome(), "panicked");
    assert_eq!(log.0.lock().spans[0].0, Level::DEBUG);
}
