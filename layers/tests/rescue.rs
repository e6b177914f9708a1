//! The refusals that clients receive for errors and panics, and the log's detail.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{
    error::Error as StdError,
    fmt,
    future::pending,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use tower::{
    BoxError, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimitLayer, load_shed::LoadShedLayer,
    service_fn,
};
use tracing::{Event, Metadata, Subscriber, field, span};
use zocket_layers::{
    Code, Connection, Context, ContextLayer, DecodeLayer, Error, Frame, Message, Outcome, RawPayload, Reply,
    RescueLayer, ValidateLayer, handler_fn, rescue::explain,
};

fn message() -> Message {
    Message::new(Connection::detached(()), "route", RawPayload::absent())
}

async fn refusal<S>(service: S) -> Error
where
    S: Service<Message, Response = Reply>,
    S::Error: Into<BoxError>,
{
    let service = ServiceBuilder::new().layer(RescueLayer::new()).service(service);
    let Outcome::Refused(error) = service.oneshot(message()).await.unwrap() else {
        panic!("not refused")
    };
    error
}

#[derive(Debug)]
struct Foreign(Option<BoxError>);

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database password is 1234")
    }
}

impl StdError for Foreign {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.as_deref().map(|source| source as _)
    }
}

fn wrapped(error: impl Into<BoxError>) -> BoxError {
    Foreign(Some(Box::new(Foreign(Some(error.into()))))).into()
}

/// A subscriber that keeps the text of every event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut log = self.0.lock();
        event.record(&mut |field: &field::Field, value: &dyn fmt::Debug| {
            log.push_str(&format!("{field}={value:?} "));
        });
        log.push('\n');
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Asserts that the refusal has no detail, and that the log has it under the same id.
fn assert_concealed(error: &Error, log: &Log, detail: &str) {
    assert_eq!(error.code(), Code::INTERNAL_SERVER_ERROR);
    assert!(!error.message().contains(detail), "{error}");
    assert!(error.source().is_none());
    let id = error.message().strip_prefix("internal error ").unwrap();
    let log = log.0.lock();
    let line = log.lines().find(|line| line.contains(id));
    assert!(line.is_some_and(|line| line.contains(detail)), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_becomes_the_code_timeout() {
    let slow = service_fn(async |_: Message| {
        pending::<()>().await;
        Ok::<_, BoxError>(Reply::empty())
    });
    let slow = ServiceBuilder::new()
        .timeout(Duration::from_secs(1))
        .service(slow);
    assert_eq!(refusal(slow).await.code(), Code::TIMEOUT);
}

#[tokio::test]
async fn shed_load_becomes_overloaded() {
    let service = service_fn(async |_: Message| Ok::<_, BoxError>(Reply::empty()));
    let busy = ServiceBuilder::new()
        .layer(LoadShedLayer::new())
        .layer(ConcurrencyLimitLayer::new(0))
        .service(service);
    assert_eq!(refusal(busy).await.code(), Code::OVERLOADED);
}

#[tokio::test]
async fn a_buffer_whose_worker_has_ended_becomes_overloaded() {
    let service = service_fn(async |_: Message| Ok::<_, BoxError>(Reply::empty()));
    let (mut buffer, worker) = tower::buffer::Buffer::pair(service, 1);
    drop(worker);
    let closed = buffer.ready().await.err().unwrap();
    assert_eq!(explain(closed).code(), Code::OVERLOADED);
}

struct Failing(fn() -> BoxError);

impl Service<Message> for Failing {
    type Response = Reply;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Reply, BoxError>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Err((self.0)()))
    }

    fn call(&mut self, _: Message) -> Self::Future {
        std::future::ready(Ok(Reply::empty()))
    }
}

#[tokio::test]
async fn a_buffer_whose_service_failed_becomes_overloaded_or_the_services_own_code() {
    let told = async |failing| {
        let buffer = tower::buffer::Buffer::new(Failing(failing), 1);
        refusal(buffer).await.code()
    };
    assert_eq!(told(|| Foreign(None).into()).await, Code::OVERLOADED);
    assert_eq!(told(|| Error::forbidden("no").into()).await, Code::FORBIDDEN);
}

#[test]
fn a_zocket_error_reaches_the_client_unchanged() {
    let own = Error::too_many_requests(Duration::from_millis(5));
    let told = explain(own.into());
    assert_eq!(told.code(), Code::TOO_MANY_REQUESTS);
    assert_eq!(told.retry_after(), Some(Duration::from_millis(5)));
}

#[test]
fn a_zocket_error_is_found_among_the_sources() {
    let told = explain(wrapped(Error::forbidden("admins only")));
    assert_eq!(told.to_string(), "FORBIDDEN: admins only");
    assert_eq!(
        explain(wrapped(tower::timeout::error::Elapsed::new())).code(),
        Code::TIMEOUT
    );
}

#[test]
fn a_foreign_error_reaches_only_the_log_under_the_id_that_the_client_receives() {
    let log = Log::default();
    let told = tracing::subscriber::with_default(log.clone(), || explain(Foreign(None).into()));
    assert_concealed(&told, &log, "password");
}

#[test]
fn the_source_of_an_internal_error_is_never_sent_to_the_client() {
    for wrap in [
        |error: Error| -> BoxError { error.into() },
        |error| wrapped(error),
    ] {
        let log = Log::default();
        let internal = Error::internal(Error::forbidden("secret"));
        let told = tracing::subscriber::with_default(log.clone(), || explain(wrap(internal)));
        assert_concealed(&told, &log, "secret");
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Where {
    Ready,
    Call,
    Poll,
}

struct Panicking(Where);

impl Service<Message> for Panicking {
    type Response = Reply;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Reply, BoxError>>>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), BoxError>> {
        assert!(self.0 != Where::Ready, "secret");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Message) -> Self::Future {
        assert!(self.0 != Where::Call, "secret");
        Box::pin(async { panic!("secret") })
    }
}

#[tokio::test]
async fn panics_in_poll_ready_call_and_poll_reach_the_client_without_detail() {
    for place in [Where::Ready, Where::Call, Where::Poll] {
        let log = Log::default();
        let guard = tracing::subscriber::set_default(log.clone());
        let told = refusal(Panicking(place)).await;
        drop(guard);
        assert_concealed(&told, &log, "secret");
    }
}

#[tokio::test]
async fn a_reply_with_unperformed_effects_is_refused() {
    // tracing caches per callsite, for all threads, if a subscriber is interested: a thread without one that comes
    // first would disable the callsite for the others.
    let _listening = tracing::subscriber::set_default(Log::default());
    let connection = Connection::detached(());
    let join = handler_fn(async |cx: Context<()>| cx.rooms().join("a"));
    let without_fanout = ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(ValidateLayer::<()>::ignoring())
        .layer(ContextLayer::<()>::new())
        .service(join);
    let frame = Frame::new(connection, r#"{"type":"a","rpcId":1}"#);
    let answer = without_fanout.oneshot(frame).await.unwrap();
    let answer = String::from_utf8(answer.bytes().unwrap().to_vec()).unwrap();
    assert!(answer.contains("INTERNAL_SERVER_ERROR"), "{answer}");
}
