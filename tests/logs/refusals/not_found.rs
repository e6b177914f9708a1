//! NOT_FOUND: unknown routes and reserved types.

use zocket::layers::protocol::words;

use super::{code, log::Log, refusal_of, visit};

#[tokio::test]
async fn an_unknown_route_is_not_found() {
    let (_, mut client) = visit().await;
    let long = "x".repeat(10_000);
    for route in [
        "", "Echo", "echo.", ".echo", "echo.x", " echo", "echo\0", "e.cho", &long,
    ] {
        let refusal = refusal_of(&mut client, route).await;
        assert_eq!(refusal.code(), "NOT_FOUND", "{route}");
        assert!(
            refusal.message().len() < 500,
            "the message repeats all of the route"
        );
    }
}

#[tokio::test]
async fn client_text_in_the_log_is_truncated_and_escaped() {
    let log = Log::capture();
    let (_, mut client) = visit().await;
    let long = "x".repeat(500_000);
    for route in [&long, "a\n2026-01-01T00:00:00Z ERROR forged\r\u{1b}[2J"] {
        assert_eq!(code(&mut client, route).await, "NOT_FOUND");
    }
    let log = log.text();
    assert!(log.len() < 5_000, "{} bytes were logged", log.len());
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01T")), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[tokio::test]
async fn reserved_types_are_refused() {
    let (_, mut client) = visit().await;
    for route in words::ALL.into_iter().chain(["__", "__ack", "__proto__"]) {
        assert_eq!(code(&mut client, route).await, "NOT_FOUND", "{route}");
    }
    client.expect_nothing().await;
}
