//! Failures of `on_open` in the log: a refusal is no error of the server.

use std::io;

use zocket::{Context, Error};

use super::{State, builder, common::serve, log::Log};

/// Returns the close reason of a client whose `on_open` ends in this way, and the lines about `on_open` and its details.
async fn opened(how: &'static str) -> (String, Vec<String>) {
    let log = Log::capture();
    let zo = builder(&State::default())
        .on_open(move |_: Context<State>| async move {
            match how {
                "refusal" => Err(Error::unauthorized("the token has expired")),
                "internal" => Err(Error::internal(io::Error::other("the database is gone"))),
                _ => panic!("a bug"),
            }
        })
        .build();
    let server = serve(zo.serve(zo.router())).await;
    let (_, reason) = server.connect("").await.closed().await;
    let lines = log.text();
    let lines = lines.lines().filter(|line| {
        ["on_open", "token", "database", "a bug"]
            .iter()
            .any(|word| line.contains(word))
    });
    (reason, lines.map(str::to_owned).collect())
}

#[tokio::test]
async fn a_refusal_by_on_open_is_logged_as_information() {
    let (reason, lines) = opened("refusal").await;
    assert_eq!(reason, "UNAUTHORIZED");
    let [line] = lines.as_slice() else {
        panic!("expected one line, got {lines:?}")
    };
    assert!(
        line.contains(" INFO ") && line.contains("the token has expired"),
        "{line}"
    );
}

#[tokio::test]
async fn an_internal_error_or_panic_of_on_open_is_logged_as_an_error_with_its_detail() {
    for (how, expected, detail) in [
        ("internal", "INTERNAL_SERVER_ERROR", "the database is gone"),
        ("panic", "internal-error", "a bug"),
    ] {
        let (reason, lines) = opened(how).await;
        assert_eq!(reason, expected);
        assert!(lines.iter().all(|line| line.contains(" ERROR ")), "{lines:?}");
        for text in ["on_open ", detail] {
            assert!(lines.iter().any(|line| line.contains(text)), "{text}: {lines:?}");
        }
    }
}
