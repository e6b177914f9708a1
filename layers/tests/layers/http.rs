//! `HttpLayer`: a message in layers that were written for HTTP.
#![allow(
    clippy::unwrap_used,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Limited;
use tower::{
    BoxError, Layer, Service, ServiceExt,
    layer::{layer_fn, util::Identity},
    load_shed::error::Overloaded,
    retry::{Policy, RetryLayer},
    service_fn,
    util::{MapRequestLayer, MapResponseLayer},
};
use zocket_layers::{
    Body, ClientId, Code, Connection, Context, ContextLayer, Error, FanoutLayer, HttpLayer, Issue, Message,
    RawPayload, Reply, ValidateLayer, handler_fn,
};

fn message(payload: RawPayload) -> Message {
    Message::new(Connection::detached(()), "chat.post", payload)
}

/// Echoes the payload.
async fn echo(message: Message) -> Result<Reply, BoxError> {
    Ok(Reply::with_payload(message.payload().clone()))
}

/// Returns the refusal of a message without payload that passes `http` around `inner`.
async fn refusal<L, S>(http: L, inner: S) -> Error
where
    HttpLayer<L>: Layer<S, Service: Service<Message, Response = Reply, Error = BoxError>>,
{
    let service = HttpLayer::new(http).layer(inner);
    let error = service.oneshot(message(RawPayload::absent())).await.unwrap_err();
    *error.downcast().unwrap()
}

fn answers_with<S>(
    status: StatusCode,
) -> impl Layer<
    S,
    Service = impl Service<Request<Body>, Response = Response<Body>, Error = BoxError, Future: Send> + Clone,
> {
    layer_fn(move |_| {
        service_fn(move |_| async move {
            let mut response = Response::default();
            *response.status_mut() = status;
            Ok(response)
        })
    })
}

#[tokio::test]
async fn a_layer_sees_route_payload_connection_and_extensions() {
    let look = MapRequestLayer::new(|request: Request<Body>| {
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "/chat.post");
        assert_eq!(request.headers()["content-length"], "3");
        assert_eq!(request.headers()["authorization"], "Bearer secret");
        assert!(request.extensions().get::<Connection>().is_some());
        assert_eq!(request.extensions().get(), Some(&"told"));
        request
    });
    let mut message = message(RawPayload::json("[1]"));
    let fields = HeaderMap::from_iter([(
        http::header::AUTHORIZATION,
        HeaderValue::from_static("Bearer secret"),
    )]);
    message.parts_mut().extensions.insert(fields);
    message.parts_mut().extensions.insert("told");
    let reply = HttpLayer::new(look)
        .layer(service_fn(echo))
        .oneshot(message)
        .await
        .unwrap();
    assert_eq!(reply.answer.as_json(), b"[1]");
}

#[tokio::test]
async fn header_fields_and_extensions_set_by_a_layer_reach_the_inner_service() {
    let put = MapRequestLayer::new(|mut request: Request<Body>| {
        request
            .headers_mut()
            .insert("x-id", HeaderValue::from_static("7"));
        request.extensions_mut().insert("told");
        request
    });
    let look = service_fn(async |message: Message| {
        let parts = message.parts();
        assert_eq!(*parts.route(), "chat.post");
        assert_eq!(parts.extensions.get::<HeaderMap>().unwrap()["x-id"], "7");
        assert_eq!(parts.extensions.get(), Some(&"told"));
        echo(message).await
    });
    let two = HttpLayer::new(put).layer(HttpLayer::new(Identity::new()).layer(look));
    let reply = two.oneshot(message(RawPayload::absent())).await.unwrap();
    // An absent payload stays absent, and so does an absent answer.
    assert_eq!(reply.answer, RawPayload::absent());
}

#[tokio::test]
async fn a_replaced_body_becomes_the_payload() {
    let replace = MapRequestLayer::new(|request: Request<Body>| request.map(|_| Body::from("[2]")));
    let service = HttpLayer::new(replace).layer(service_fn(echo));
    let reply = service.oneshot(message(RawPayload::json("[1]"))).await.unwrap();
    assert_eq!(reply.answer.as_json(), b"[2]");
}

#[tokio::test]
async fn a_body_over_a_layers_limit_is_too_large() {
    let limit = MapRequestLayer::new(|request: Request<Body>| request.map(|body| Limited::new(body, 2)));
    let service = HttpLayer::new(limit).layer(service_fn(echo));
    let error = service
        .oneshot(message(RawPayload::json("[1]")))
        .await
        .unwrap_err();
    assert_eq!(error.downcast::<Error>().unwrap().code(), Code::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_refusal_becomes_a_status_and_converts_back_unchanged() {
    let look = MapResponseLayer::new(|response: Response<Body>| {
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        response
    });
    let inner = service_fn(async |_: Message| {
        let issues = vec![Issue::new(
            vec!["text".into()],
            "required",
            "expected, but missing",
        )];
        Err::<Reply, Error>(Error::bad_request(issues).with_source("a reason for the log"))
    });
    let refusal = refusal(look, inner).await;
    assert_eq!(refusal.issues().len(), 1);
    assert_eq!(
        std::error::Error::source(&refusal).unwrap().to_string(),
        "a reason for the log"
    );
}

#[tokio::test]
async fn tower_errors_become_statuses_and_convert_back_unchanged() {
    let look = MapResponseLayer::new(|response: Response<Body>| {
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        response
    });
    let inner = service_fn(async |_: Message| Err::<Reply, _>(Overloaded::new()));
    let service = HttpLayer::new(look).layer(inner);
    let error = service.oneshot(message(RawPayload::absent())).await.unwrap_err();
    assert!(error.is::<Overloaded>(), "{error}");
}

#[tokio::test]
async fn a_layers_own_response_becomes_a_refusal_with_the_code_of_its_status() {
    for (status, code) in [
        (400, "BAD_REQUEST"),
        (401, "UNAUTHORIZED"),
        (403, "FORBIDDEN"),
        (404, "NOT_FOUND"),
        (405, "BAD_REQUEST"),
        (408, "TIMEOUT"),
        (409, "CONFLICT"),
        (412, "PRECONDITION_FAILED"),
        (413, "PAYLOAD_TOO_LARGE"),
        (428, "PRECONDITION_FAILED"),
        (429, "TOO_MANY_REQUESTS"),
        (500, "INTERNAL_SERVER_ERROR"),
        (503, "OVERLOADED"),
        (504, "TIMEOUT"),
        (200, "INTERNAL_SERVER_ERROR"),
        (302, "INTERNAL_SERVER_ERROR"),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let refusal = refusal(answers_with(status), service_fn(echo)).await;
        assert_eq!(refusal.code().as_str(), code, "{status}");
    }
}

#[tokio::test]
async fn a_status_that_a_layer_changes_from_a_success_refuses_the_message() {
    let veto = MapResponseLayer::new(|mut response: Response<Body>| {
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    });
    assert_eq!(refusal(veto, service_fn(echo)).await.code(), Code::FORBIDDEN);
}

#[tokio::test]
async fn a_refusal_stays_a_refusal_when_a_layer_changes_its_status() {
    let gloss_over = MapResponseLayer::new(|mut response: Response<Body>| {
        *response.status_mut() = StatusCode::OK;
        response
    });
    let inner = service_fn(async |_: Message| Err::<Reply, _>(Error::conflict("no")));
    assert_eq!(refusal(gloss_over, inner).await.code(), Code::CONFLICT);
}

#[tokio::test]
async fn a_request_that_lost_its_extensions_is_an_internal_error() {
    let lose = MapRequestLayer::new(|_: Request<Body>| Request::<Body>::default());
    let refusal = refusal(lose, service_fn(echo)).await;
    assert_eq!(refusal.code(), Code::INTERNAL_SERVER_ERROR);
    assert!(
        std::error::Error::source(&refusal)
            .unwrap()
            .to_string()
            .contains("lost the extensions")
    );
}

#[derive(Clone)]
struct OnceMore(bool);

impl<E> Policy<Request<Body>, Response<Body>, E> for OnceMore {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        result: &mut Result<Response<Body>, E>,
    ) -> Option<Self::Future> {
        let failed = matches!(result, Ok(response) if response.status().is_server_error());
        (failed && std::mem::take(&mut self.0)).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn a_request_sent_twice_performs_only_the_second_attempts_effects() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let connection = Connection::detached(AtomicUsize::new(0));
    let (hub, client) = (connection.hub().clone(), connection.client_id());
    let flaky = handler_fn(async |cx: Context<AtomicUsize>| {
        let attempt = cx.fetch_add(1, Ordering::SeqCst) + 1;
        cx.rooms().join(format!("attempt-{attempt}"))?;
        if attempt == 1 {
            Err(Error::new(Code::OVERLOADED, "not yet"))
        } else {
            Ok(attempt)
        }
    });
    let stack = ContextLayer::new().layer(flaky);
    let stack = ValidateLayer::<()>::ignoring().layer(stack);
    let stack = HttpLayer::new(RetryLayer::new(OnceMore(true))).layer(stack);
    let stack = FanoutLayer::new().atomic().layer(stack);
    let message = Message::new(connection, "flaky", RawPayload::absent());
    assert_eq!(stack.oneshot(message).await.unwrap().answer.as_json(), b"2");
    let rooms = |client: &ClientId| [hub.has(client, "attempt-1"), hub.has(client, "attempt-2")];
    assert_eq!(rooms(&client), [false, true]);
}
