//! The client files that the server serves over HTTP.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use zocket::{
    ClientId, NoHeaders, Zocket,
    contract::{ClientFiles, Info},
};

fn files() -> ClientFiles {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(()))
        .build();
    zo.router().contract().client_files()
}

async fn ask(method: Method, path: &str, known: Option<&str>) -> (Response<()>, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(known) = known {
        request = request.header("if-none-match", known);
    }
    let response = files().oneshot(request.body(()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (Response::from_parts(parts, ()), text)
}

fn field<'a>(response: &'a Response<()>, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn zocket_js_serves_the_exported_client() {
    let zo = Zocket::builder().build();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("client_files");
    zo.router()
        .contract()
        .export_all(&folder, &Info::new("A", "1"))
        .unwrap();
    for (file, content_type) in [
        ("zocket.js", "text/javascript; charset=utf-8"),
        ("zocket.d.ts", "text/plain; charset=utf-8"),
    ] {
        let (response, text) = ask(Method::GET, &format!("/assets/{file}?v=1"), None).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(text, std::fs::read_to_string(folder.join(file)).unwrap());
        assert_eq!(field(&response, "content-type"), Some(content_type));
        assert_eq!(field(&response, "cache-control"), Some("no-cache"));
        assert_eq!(field(&response, "x-content-type-options"), Some("nosniff"));
        let length = text.len().to_string();
        assert_eq!(field(&response, "content-length"), Some(length.as_str()));
    }
}

#[tokio::test]
async fn a_matching_etag_gets_a_304() {
    let (first, _) = ask(Method::GET, "/zocket.js", None).await;
    let tag = field(&first, "etag").unwrap();
    for known in [tag.to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let (response, text) = ask(Method::GET, "/zocket.js", Some(&known)).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(field(&response, "etag"), Some(tag));
        assert!(text.is_empty());
    }
    let (other, _) = ask(Method::GET, "/zocket.js", Some("\"x\"")).await;
    assert_eq!(other.status(), StatusCode::OK);
    let (types, _) = ask(Method::GET, "/zocket.d.ts", Some(tag)).await;
    assert_eq!(types.status(), StatusCode::OK);
}

#[tokio::test]
async fn head_returns_only_the_header_fields() {
    let (response, text) = ask(Method::HEAD, "/zocket.js", None).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        field(&response, "content-length")
            .unwrap()
            .parse::<usize>()
            .unwrap()
            > 1_000
    );
    assert!(text.is_empty());
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let (response, _) = ask(Method::GET, "/zocket.ts", None).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let (response, _) = ask(Method::POST, "/zocket.js", None).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(field(&response, "allow"), Some("GET, HEAD"));
}
