//! Connect headers: parsing of fields and query parameters, and refusals with every issue.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{Runs, app, common::serve, raw, received, refused, site};

/// Returns the paths of a refusal's issues, sorted.
fn paths(body: &Value) -> Vec<String> {
    assert_eq!(body["error"], "Invalid headers", "{body}");
    let details = body["details"].as_array().expect("details");
    let mut paths = Vec::new();
    for issue in details {
        assert!(
            issue["code"].as_str().is_some_and(|code| !code.is_empty()),
            "{issue}"
        );
        assert!(
            issue["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{issue}"
        );
        paths.push(issue["path"].to_string());
    }
    paths.sort();
    paths
}

#[tokio::test]
async fn header_fields_and_query_parameters_are_one_map() {
    let server = site().await;
    let headers = received(&server, "name=Ann&x-room=attic", &[("x-user-id", "7")]).await;
    assert_eq!(headers, json!(["Ann", "attic", "7"]));
    let headers = received(&server, "", &[("Name", "Ann"), ("X-Room", "attic")]).await;
    assert_eq!(headers, json!(["Ann", "attic", null]));
}

#[tokio::test]
async fn absent_headers_get_their_defaults() {
    let server = site().await;
    assert_eq!(
        received(&server, "name=Ann", &[]).await,
        json!(["Ann", "lobby", null])
    );
}

#[tokio::test]
async fn query_parameters_are_percent_decoded() {
    let server = site().await;
    for (written, meant) in [
        ("a+b", "a b"),
        ("a%20b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%26x-room%3Db", "a&x-room=b"),
        ("a=b", "a=b"),
        ("%C3%A9", "é"),
        ("%e2%82%ac", "€"),
        ("100%25", "100%"),
        // Invalid escapes stay as they are, and invalid UTF-8 becomes U+FFFD.
        ("50%", "50%"),
        ("%zz%4", "%zz%4"),
        ("%FFa", "\u{FFFD}a"),
    ] {
        let headers = received(&server, &format!("name={written}"), &[]).await;
        assert_eq!(headers[0], meant, "{written}");
    }
    // Names are percent-decoded, too.
    assert_eq!(received(&server, "n%61me=Ann", &[]).await[0], "Ann");
}

#[tokio::test]
async fn the_last_of_a_repeated_query_parameter_counts() {
    let server = site().await;
    let headers = received(&server, "name=Ann&x-room=attic&name=Bob&x-room=cellar", &[]).await;
    assert_eq!(headers, json!(["Bob", "cellar", null]));
    let (status, body) = refused(&server, "name=Ann&name=").await;
    assert_eq!((status, paths(&body)), (400, vec![r#"["name"]"#.to_owned()]));
}

#[tokio::test]
async fn a_repeated_header_field_is_joined() {
    let server = site().await;
    let headers = received(&server, "name=Ann", &[("x-user-id", "1"), ("x-user-id", "2")]).await;
    assert_eq!(headers[2], "1, 2");
}

#[tokio::test]
async fn a_query_parameter_never_replaces_a_field_of_the_request() {
    let server = site().await;
    for query in [
        "x-user-id=evil",
        "X-User-Id=evil",
        "x%2Duser%2Did=evil",
        "x-user-id=a&x-user-id=evil",
    ] {
        for field in ["x-user-id", "X-User-Id", "X-USER-ID"] {
            let headers = received(&server, &format!("name=Ann&{query}"), &[(field, "trusted")]).await;
            assert_eq!(headers[2], "trusted", "?{query} beside {field}");
        }
    }
    // The client library sends names in lower case, but a proxy may not. An empty field counts as present.
    for field in ["X-User-ID", "x-USER-id"] {
        let answer = raw()
            .start("GET /?name=Ann&x-room=spoofed-and-too-long HTTP/1.1")
            .with(field, "trusted")
            .with("X-ROOM", "")
            .send(&server)
            .await;
        assert_eq!(answer.status, 101, "{}", answer.body);
    }
}

#[tokio::test]
async fn undeclared_names_are_ignored() {
    let runs = Runs::default();
    let server = serve(app(&runs)).await;
    let query = "name=Ann&x-zocket-version=1&utm_source=mail&constructor=&__proto__=1&=&&";
    let headers = received(&server, query, &[("x-other", "1"), ("cookie", "a=b")]).await;
    assert_eq!(headers, json!(["Ann", "lobby", null]));
    // Names that differ slightly from a declared one are ignored.
    let headers = received(&server, "name=Ann&X-User-Id=7&x-user-id%20=7&x_user_id=7", &[]).await;
    assert_eq!(headers[2], Value::Null);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn invalid_headers_are_refused_with_all_issues_and_on_connect_does_not_run() {
    let runs = Runs::default();
    let server = serve(app(&runs)).await;
    let both = vec![r#"["name"]"#.to_owned(), r#"["x-room"]"#.to_owned()];
    // The first request lacks one header and has one too long. The second has two too long.
    for query in [
        "x-room=01234567890".to_owned(),
        format!("x-room=01234567890&name={}", "x".repeat(41)),
    ] {
        let (status, body) = refused(&server, &query).await;
        assert_eq!((status, paths(&body)), (400, both.clone()), "{query}: {body}");
    }
    let answer = raw().start("GET / HTTP/1.1").send(&server).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.fields["content-type"], "application/json");
    assert_eq!(paths(&answer.body), [r#"["name"]"#]);
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_field_that_is_not_utf_8_is_an_issue_beside_the_others() {
    let runs = Runs::default();
    let server = serve(app(&runs)).await;
    let answer = raw().with("x-room", b"caf\xe9").send(&server).await;
    assert_eq!(
        (answer.status, paths(&answer.body)),
        (400, vec![r#"["x-room"]"#.to_owned()])
    );
    // A query parameter does not replace the field.
    let answer = raw()
        .start("GET /?name=Ann&x-room=attic HTTP/1.1")
        .with("x-room", b"caf\xe9")
        .send(&server)
        .await;
    assert_eq!(
        (answer.status, paths(&answer.body)),
        (400, vec![r#"["x-room"]"#.to_owned()])
    );
    // All issues arrive together, each once.
    let answer = raw()
        .start("GET /?x-room=01234567890 HTTP/1.1")
        .with("x-user-id", b"\xff")
        .send(&server)
        .await;
    let all = [r#"["name"]"#, r#"["x-room"]"#, r#"["x-user-id"]"#];
    assert_eq!(paths(&answer.body), all, "{}", answer.body);
    let answer = raw()
        .start("GET / HTTP/1.1")
        .with("name", b"\xff")
        .send(&server)
        .await;
    assert_eq!(paths(&answer.body), [r#"["name"]"#], "{}", answer.body);
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    // Undeclared fields are ignored.
    assert_eq!(raw().with("x-other", b"\xff").send(&server).await.status, 101);
    // Valid UTF-8 is accepted.
    let answer = raw().with("x-room", "café".as_bytes()).send(&server).await;
    assert_eq!(answer.status, 101, "{}", answer.body);
}
