//! Pages of other origins, by `Builder::origins` and by `OriginLayer`, and apps that have to choose.

use http::request::Parts;
use serde_json::json;
use tower::Layer;
use zocket::{Error, NoHeaders, Origins, ServeError, origin::OriginLayer};

use super::*;

/// Connect headers that a browser sends by itself.
#[derive(Deserialize, JsonSchema, Validate)]
struct Cookie {
    #[serde(rename = "Cookie")]
    #[garde(skip)]
    cookie: Option<String>,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Authorization {
    #[garde(skip)]
    authorization: Option<String>,
}

async fn by_request(_: NoHeaders, _: ClientId, _: Parts) -> Result<(), Error> {
    Ok(())
}

async fn by_request_with(_: u8, headers: NoHeaders, id: ClientId, request: Parts) -> Result<(), Error> {
    by_request(headers, id, request).await
}

async fn by_cookie(headers: Cookie, _: ClientId) -> Result<(), Error> {
    headers
        .cookie
        .map(drop)
        .ok_or(Error::unauthorized("log in first"))
}

async fn by_authorization(headers: Authorization, _: ClientId) -> Result<(), Error> {
    let given = headers.authorization.map(drop);
    given.ok_or(Error::unauthorized("log in first"))
}

async fn by_token(_: Headers, _: ClientId) -> Result<(), Error> {
    Ok(())
}

#[test]
fn an_app_that_can_read_a_cookie_must_choose_origins() {
    let builder = Zocket::builder;
    for (zo, reason) in [
        (
            builder().on_connect(by_request).build(),
            "takes the request's parts",
        ),
        (
            builder().on_connect_with(1, by_request_with).build(),
            "takes the request's parts",
        ),
        (
            builder().on_connect(by_cookie).build(),
            "reads the header `cookie`",
        ),
        (
            builder().on_connect(by_authorization).build(),
            "reads the header `authorization`",
        ),
    ] {
        let stack =
            || tower::service_fn(async |frame: zocket::layers::Frame| Ok::<_, Error>(frame.into_data()));
        for error in [
            zo.try_serve(zo.router()).unwrap_err(),
            zo.try_serve_stack(stack()).unwrap_err(),
            zo.try_serve_with(zo.router(), |_| stack()).unwrap_err(),
        ] {
            assert!(matches!(error, ServeError::Origins(_)), "{error:?}");
            let text = error.to_string();
            for part in [
                reason,
                ".origins(Origins::same())",
                ".any_origin()",
                "another site",
            ] {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
    }
}

#[test]
#[should_panic(expected = ".origins(Origins::same())")]
fn serve_panics_with_the_choices() {
    let zo = Zocket::builder().on_connect(by_request).build();
    drop(zo.serve(zo.router()));
}

#[test]
fn an_app_that_has_chosen_or_reads_no_cookie_is_served() {
    for zo in [
        Zocket::builder().build(),
        Zocket::builder().on_connect(by_token).build(),
        Zocket::builder().on_connect(by_cookie).any_origin().build(),
        Zocket::builder().any_origin().on_connect(by_request).build(),
        Zocket::builder()
            .origins(Origins::same())
            .on_connect(by_cookie)
            .build(),
        Zocket::builder()
            .on_connect(by_request)
            .origins(Origins::same())
            .build(),
    ] {
        assert!(zo.try_serve(zo.router()).is_ok());
    }
}

/// Returns the status of a handshake with these fields, to an app that allows pages of its own origin.
async fn same_origin_status(server: &Server, fields: &[(&'static str, &str)]) -> u16 {
    let request = fields
        .iter()
        .fold(raw(), |request, (name, value)| request.with(name, *value));
    request.send(server).await.status
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_before_on_connect() {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId, _: Parts| -> Result<(), Error> {
            panic!("on_connect ran for a page of another origin")
        })
        .origins(Origins::same())
        .build();
    let server = serve(zo.serve(zo.router())).await;
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:3000",
        "nonsense",
    ] {
        let answer = raw().with("Origin", origin).send(&server).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!("FORBIDDEN")));
        assert_eq!(answer.fields["content-type"], "application/json");
        assert!(!answer.body.to_string().contains("evil"), "{}", answer.body);
    }
}

#[tokio::test]
async fn pages_of_the_same_origin_and_clients_without_origin_connect() {
    let zo = Zocket::builder()
        .on_connect(by_request)
        .origins(Origins::same())
        .build();
    let server = serve(zo.serve(zo.router())).await;
    for fields in [
        &[][..],
        &[("Origin", "https://localhost")],
        &[("Origin", "HTTP://LOCALHOST:80")],
        &[("Origin", "https://localhost.")],
        &[("Origin", "http://[::1]:3000"), ("Host", "[::1]:3000")],
    ] {
        assert_eq!(same_origin_status(&server, fields).await, 101, "{fields:?}");
    }
    // A request that opens no WebSocket gets its own answer, whatever its origin.
    let answer = raw()
        .without("Upgrade")
        .with("Origin", "https://evil.example")
        .send(&server)
        .await;
    assert_eq!(answer.status, 426);
}

#[tokio::test]
async fn the_layer_refuses_by_its_list_and_can_require_an_origin() {
    let origins = Origins::list(["https://chat.example.org"]).unwrap().required();
    let zo = Zocket::builder().build();
    let server = serve(OriginLayer::new(origins.clone()).layer(zo.serve(zo.router()))).await;
    for (origin, status) in [
        (Some("https://chat.example.org"), 101),
        (Some("https://chat.example.org:443"), 101),
        (Some("https://localhost"), 403),
        (Some("null"), 403),
        (None, 403),
    ] {
        let request = match origin {
            Some(origin) => raw().with("Origin", origin),
            None => raw(),
        };
        let answer = request.send(&server).await;
        assert_eq!(answer.status, status, "{origin:?}");
        assert!(
            status == 101 || answer.body["code"] == "FORBIDDEN",
            "{}",
            answer.body
        );
    }

    // Around a whole axum router, whose body is another type.
    let pages = axum::Router::new().route_service("/", zo.serve(zo.router()));
    let server = serve(OriginLayer::new(origins).layer(pages)).await;
    let refused = raw().with("Origin", "https://evil.example").send(&server).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (403, &json!("FORBIDDEN"))
    );
    let page = raw()
        .with("Origin", "https://chat.example.org")
        .send(&server)
        .await;
    assert_eq!(page.status, 101);
}
