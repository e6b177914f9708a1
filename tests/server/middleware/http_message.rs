//! tower-http's layers around one message, through `HttpLayer`.

use std::{
    any::Any,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, AUTHORIZATION, ORIGIN},
};
use http_body_util::Full;
use tower::{ServiceBuilder, util::MapRequestLayer};
use tower_http::{
    add_extension::AddExtensionLayer,
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, predicate::SizeAbove},
    cors::CorsLayer,
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestId, RequestId, SetRequestIdLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
    set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer},
    timeout::TimeoutLayer,
    trace::TraceLayer,
    validate_request::ValidateRequestHeaderLayer,
};
use tracing::Span;
use zocket::{Code, Message, RawPayload, layers::HttpLayer};

use super::{
    position::{Position, serve},
    site::{Ask, Script, Step, ask, connect},
};

cells! { raw
    http_trace_logs_route_and_status,
    an_http_timeout_refuses_the_message,
    a_request_id_reaches_the_inner_service,
    cors_changes_nothing,
    compression_changes_nothing,
    sensitive_headers_are_marked_for_the_inner_service,
    catch_panic_answers_before_rescue,
    a_body_limit_refuses_a_large_payload,
    authorization_reads_a_header_that_another_layer_sets,
    an_extension_reaches_the_inner_service,
    a_request_header_reaches_the_inner_service_and_a_response_header_is_dropped,
}

/// A position where messages are raw.
trait Raw: Position<Payload = RawPayload, Context = ()> {}
impl<P: Position<Payload = RawPayload, Context = ()>> Raw for P {}

/// Replaces the payload by the result of `tell`, so that the answer contains it.
fn write_to_payload<F>(tell: F) -> MapRequestLayer<impl FnMut(Message) -> Message + Clone>
where
    F: Fn(&Message) -> Option<String> + Clone,
{
    MapRequestLayer::new(move |message: Message| {
        let word = tell(&message).unwrap_or_default();
        message.map_payload(|_| RawPayload::of(&Ask { word }).unwrap())
    })
}

/// Adds a header field for HTTP layers to a message. An app would compute it from the context.
fn with_field(
    name: HeaderName,
    value: impl Fn(&Message) -> String + Clone,
) -> MapRequestLayer<impl FnMut(Message) -> Message + Clone> {
    MapRequestLayer::new(move |mut message: Message| {
        let value = HeaderValue::from_str(&value(&message)).unwrap();
        message
            .parts_mut()
            .extensions
            .insert(HeaderMap::from_iter([(name.clone(), value)]));
        message
    })
}

fn field(message: &Message, name: &str) -> Option<HeaderValue> {
    message.parts().extensions.get::<HeaderMap>()?.get(name).cloned()
}

async fn http_trace_logs_route_and_status<P: Raw>() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let (requests, responses) = (log.clone(), log.clone());
    let trace = TraceLayer::new_for_http()
        .on_request(move |request: &Request<_>, _: &Span| {
            requests.lock().unwrap().push(request.uri().to_string());
        })
        .on_response(move |response: &Response<_>, _: Duration, _: &Span| {
            responses.lock().unwrap().push(response.status().to_string());
        });
    let script = Script::new([Step::Fail(Code::FORBIDDEN)]);
    let app = serve::<P, _, _>(&script, HttpLayer::new(trace));
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "word").await, Err("FORBIDDEN".to_owned()));
    assert_eq!(ask(&mut client, "word").await, Ok("word".to_owned()));
    assert_eq!(
        *log.lock().unwrap(),
        ["/part.it", "403 Forbidden", "/part.it", "200 OK"]
    );
}

async fn an_http_timeout_refuses_the_message<P: Raw>() {
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(1));
    let script = Script::new([Step::Wait]);
    let app = serve::<P, _, _>(&script, HttpLayer::new(timeout));
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "slow").await, Err("TIMEOUT".to_owned()));
    assert_eq!(ask(&mut client, "quick").await, Ok("quick".to_owned()));
}

#[derive(Clone, Default)]
struct Count(Arc<AtomicU64>);

impl MakeRequestId for Count {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        let id = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        Some(RequestId::new(id.into()))
    }
}

async fn a_request_id_reaches_the_inner_service<P: Raw>() {
    let layer = ServiceBuilder::new()
        .layer(HttpLayer::new(SetRequestIdLayer::x_request_id(Count::default())))
        .layer(write_to_payload(|message| {
            let id = message.parts().extensions.get::<RequestId>()?.header_value();
            assert_eq!(field(message, "x-request-id").as_ref(), Some(id));
            Some(id.to_str().unwrap().to_owned())
        }));
    let app = serve::<P, _, _>(&Script::new([]), layer.into_inner());
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "word").await, Ok("1".to_owned()));
    assert_eq!(ask(&mut client, "word").await, Ok("2".to_owned()));
}

/// Messages have no CORS requests, and their response header fields are dropped.
async fn cors_changes_nothing<P: Raw>() {
    let layer = ServiceBuilder::new()
        .layer(with_field(ORIGIN, |_| "https://elsewhere.example".to_owned()))
        .layer(HttpLayer::new(CorsLayer::new()));
    let app = serve::<P, _, _>(&Script::new([]), layer.into_inner());
    assert_eq!(ask(&mut connect(&app).await, "word").await, Ok("word".to_owned()));
}

/// The answer is not part of the response body, so there is nothing to compress.
async fn compression_changes_nothing<P: Raw>() {
    let layer = ServiceBuilder::new()
        .layer(with_field(ACCEPT_ENCODING, |_| "gzip".to_owned()))
        .layer(HttpLayer::new(
            CompressionLayer::new().compress_when(SizeAbove::new(0)),
        ));
    let app = serve::<P, _, _>(&Script::new([]), layer.into_inner());
    assert_eq!(ask(&mut connect(&app).await, "word").await, Ok("word".to_owned()));
}

async fn sensitive_headers_are_marked_for_the_inner_service<P: Raw>() {
    let layer = ServiceBuilder::new()
        .layer(with_field(AUTHORIZATION, |_| "secret".to_owned()))
        .layer(HttpLayer::new(SetSensitiveRequestHeadersLayer::new([
            AUTHORIZATION,
        ])))
        .layer(write_to_payload(|message| {
            Some(format!("{:?}", field(message, "authorization")?))
        }));
    let app = serve::<P, _, _>(&Script::new([]), layer.into_inner());
    assert_eq!(
        ask(&mut connect(&app).await, "word").await,
        Ok("Sensitive".to_owned())
    );
}

async fn catch_panic_answers_before_rescue<P: Raw>() {
    let catch = CatchPanicLayer::custom(|_: Box<dyn Any + Send>| {
        let mut response = Response::<Full<Bytes>>::default();
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    });
    let script = Script::new([Step::Panic]);
    let app = serve::<P, _, _>(&script, HttpLayer::new(catch));
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "word").await, Err("OVERLOADED".to_owned()));
    assert_eq!(ask(&mut client, "word").await, Ok("word".to_owned()));
}

async fn a_body_limit_refuses_a_large_payload<P: Raw>() {
    let script = Script::new([]);
    let app = serve::<P, _, _>(&script, HttpLayer::new(RequestBodyLimitLayer::new(20)));
    let mut client = connect(&app).await;
    assert_eq!(
        ask(&mut client, "a word that is long").await,
        Err("PAYLOAD_TOO_LARGE".to_owned())
    );
    assert_eq!(script.begun(), 0);
    assert_eq!(ask(&mut client, "word").await, Ok("word".to_owned()));
}

async fn authorization_reads_a_header_that_another_layer_sets<P: Raw>() {
    #[allow(deprecated, reason = "good enough to show it")]
    let bearer = ValidateRequestHeaderLayer::bearer("secret");
    let script = Script::new([]);
    let layer = ServiceBuilder::new()
        .layer(with_field(AUTHORIZATION, |message| {
            format!("Bearer {}", P::word(message.payload()))
        }))
        .layer(HttpLayer::new(bearer));
    let app = serve::<P, _, _>(&script, layer.into_inner());
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "guessed").await, Err("UNAUTHORIZED".to_owned()));
    assert_eq!(script.begun(), 0);
    assert_eq!(ask(&mut client, "secret").await, Ok("secret".to_owned()));
}

async fn an_extension_reaches_the_inner_service<P: Raw>() {
    let layer = ServiceBuilder::new()
        .layer(HttpLayer::new(AddExtensionLayer::new("told")))
        .layer(write_to_payload(|message| {
            message
                .parts()
                .extensions
                .get()
                .map(|told: &&str| (*told).to_owned())
        }));
    let app = serve::<P, _, _>(&Script::new([]), layer.into_inner());
    assert_eq!(ask(&mut connect(&app).await, "word").await, Ok("told".to_owned()));
}

async fn a_request_header_reaches_the_inner_service_and_a_response_header_is_dropped<P: Raw>() {
    let (name, value) = (HeaderName::from_static("x-set"), HeaderValue::from_static("set"));
    let http = ServiceBuilder::new()
        .layer(SetRequestHeaderLayer::overriding(name.clone(), value.clone()))
        .layer(SetResponseHeaderLayer::overriding(name, value));
    let layer = ServiceBuilder::new()
        .layer(HttpLayer::new(http))
        .layer(write_to_payload(|message| {
            Some(field(message, "x-set")?.to_str().unwrap().to_owned())
        }));
    let app = serve::<P, _, _>(&Script::new([]), layer.into_inner());
    assert_eq!(ask(&mut connect(&app).await, "word").await, Ok("set".to_owned()));
}
