//! Warnings about an app's contract.

use schemars::JsonSchema;
use serde::Serialize;
use zocket::{Outgoing, Zocket};

use super::observability::Log;

/// Written out in place, each level is ten times as large as the one in it.
#[derive(Serialize, JsonSchema)]
struct Ten<T>(T, T, T, T, T, T, T, T, T, T);

type Large = Ten<Ten<Ten<Ten<Ten<Leaf>>>>>;
type Small = Ten<Ten<Leaf>>;

#[derive(Serialize, JsonSchema)]
struct Leaf {
    leaf: u8,
}

impl Outgoing for Large {
    const TYPE: &'static str = "large";
}

impl Outgoing for Small {
    const TYPE: &'static str = "small";
}

#[test]
fn types_too_large_to_be_compared_by_their_names_are_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let zo = Zocket::builder().build();
    zo.try_serve(zo.router().outgoing::<Small>().outgoing::<Large>())
        .unwrap();
    let log = String::from_utf8(log.0.lock().clone()).unwrap();
    let warnings: Vec<_> = log
        .lines()
        .filter(|line| line.contains("types not compared"))
        .collect();
    assert!(!warnings.is_empty(), "{log}");
    assert!(
        warnings
            .iter()
            .all(|line| line.contains("WARN") && line.contains("owner=\"large\"")),
        "{log}"
    );
}
