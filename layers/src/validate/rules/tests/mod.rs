//! Issues that the checker reports, by kind.
#![allow(dead_code, reason = "the inputs are here to be refused")]

mod agreement;
mod beyond_schema;
mod constraints;
mod enums;
mod leaves;
mod limits;
mod names;
mod readings;
mod shapes;
mod standard;

use serde_json::Value;

use super::{Checker, Input};
use crate::error::Segment;

/// Returns the issues as `code path: sentence`, sorted. Checks that each path exists in the payload.
fn refusal<T: Input>(json: impl AsRef<[u8]>) -> Vec<String> {
    let json = json.as_ref();
    let Err(issues) = Checker::<T>::new().check(json) else {
        panic!("accepted")
    };
    assert!(!issues.is_empty());
    if let Ok(value) = serde_json::from_slice::<Value>(json) {
        for issue in &issues {
            let to = issue.path.len() - usize::from(issue.code == "required");
            let there = issue.path[..to]
                .iter()
                .try_fold(&value, |value, segment| match segment {
                    Segment::Key(key) => value.get(key),
                    Segment::Index(index) => value.get(index),
                });
            assert!(there.is_some(), "{issue}");
        }
    }
    let mut lines: Vec<String> = issues
        .iter()
        .map(|issue| format!("{} {issue}", issue.code))
        .collect();
    lines.sort();
    lines
}

/// Returns `params` of the only issue.
fn params<T: Input>(json: &str) -> Value {
    let Err(issues) = Checker::<T>::new().check(json.as_bytes()) else {
        panic!("accepted")
    };
    assert_eq!(issues.len(), 1, "{issues:?}");
    serde_json::to_value(&issues[0].params).unwrap()
}

fn accepts<T: Input>(json: &str) -> bool {
    Checker::<T>::new().check(json.as_bytes()).is_ok()
}
