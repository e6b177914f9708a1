//! Texts of errors. A report of an error and its sources, as `anyhow` writes it, has each text once.

use std::{error::Error, io, iter::successors, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{
    Code, Refusal,
    client::{BuildError, CallError, EventError, Outage, ServerRefusal},
    contract::{Contract, ContractError},
};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Outbid {
    least: u64,
}

impl Refusal for Outbid {
    const CODE: Code = Code::app("OUTBID");
}

/// The same refusal in another contract.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct OutbidBy(String);

impl Refusal for OutbidBy {
    const CODE: Code = Outbid::CODE;
}

/// Returns the texts of an error and of its sources.
fn report(error: &(dyn Error + 'static)) -> Vec<String> {
    let causes = successors(Some(error), |current| (*current).source());
    causes.map(ToString::to_string).collect()
}

fn invalid_json() -> serde_json::Error {
    serde_json::from_str::<u64>("x").unwrap_err()
}

#[test]
fn each_text_of_a_report_is_told_once() {
    let json = invalid_json().to_string();
    let lost = || Arc::new(io::Error::from(io::ErrorKind::ConnectionReset));
    let no_contract = Contract::from_json("x").unwrap_err();
    assert!(matches!(no_contract, ContractError::Json(_)));
    let outbid = zocket::Error::refuse(Outbid { least: 3 });
    let other_data = outbid.data::<OutbidBy>().unwrap_err();
    let refusal = || serde_json::from_str::<ServerRefusal>(r#"{"code":"FULL","message":"no seat"}"#).unwrap();
    let errors: [(Box<dyn Error>, Option<&str>); 10] = [
        (Box::new(CallError::Encode(invalid_json())), Some(&json)),
        (Box::new(CallError::Decode(invalid_json())), Some(&json)),
        (Box::new(CallError::Refused(refusal())), None),
        (Box::new(EventError::Decode(invalid_json())), Some(&json)),
        (Box::new(no_contract), Some(&json)),
        (Box::new(other_data), Some("invalid type: map")),
        (Box::new(Outage::Broken(lost())), Some("connection reset")),
        (Box::new(Outage::Headers(lost())), Some("connection reset")),
        (Box::new(Outage::Build(BuildError::Url("no scheme".into()))), None),
        (
            Box::new(Outage::Refused {
                status: 503,
                refusal: Box::new(refusal()),
            }),
            None,
        ),
    ];
    for (error, source) in errors {
        let report = report(&*error);
        assert_eq!(report.len(), 1 + usize::from(source.is_some()), "{report:?}");
        let is_told = |source: &str| report[1].starts_with(source);
        assert!(source.is_none_or(is_told), "{report:?}");
        for (index, text) in report.iter().enumerate() {
            let others = report.iter().enumerate().filter(|(other, _)| *other != index);
            let is_repeated = others.map(|(_, other)| other).any(|other| other.contains(text));
            assert!(!is_repeated, "{report:?}");
        }
    }
}
