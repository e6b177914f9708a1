//! Numbers with serde_json's feature `arbitrary_precision` and without it. `tests/run` runs these tests with the feature
//! too, which any crate of an app can switch on.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::error::Error as _;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zocket::{
    Context, Error, Outgoing, Zocket,
    client::{CallError, Client},
    testing::{TestApp, TestClient},
};

use crate::common::{PATIENCE, Server, serve};

/// Numbers at each place where serde keeps a value for later, and at their plain places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Drawing {
    radius: u8,
    scale: f64,
    #[garde(dive)]
    figure: Figure,
    either: Either,
    #[serde(flatten)]
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[serde(tag = "kind")]
enum Figure {
    Circle {
        #[garde(range(min = 0.5))]
        width: f64,
        label: String,
    },
    Line {
        points: Vec<(f64, f32)>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Either {
    Ratio(f64),
    Name(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Place {
    x: f64,
}

impl Outgoing for Drawing {
    const TYPE: &'static str = "drawn";
}

fn drawing() -> Drawing {
    Drawing {
        radius: 7,
        scale: 1e-7,
        figure: Figure::Circle {
            width: 1.5,
            label: "a".to_owned(),
        },
        either: Either::Ratio(0.1),
        place: Place { x: -2.25 },
    }
}

fn app() -> zocket::UpgradeService {
    let zo = Zocket::builder().build();
    let draw = async |cx: Context, drawing: Drawing| {
        cx.send(drawing.clone()).to(cx.client_id());
        Ok::<_, Error>(drawing)
    };
    let not_a_number = async |_: Context| {
        let mut drawing = drawing();
        drawing.place.x = f64::NAN;
        Ok::<_, Error>(drawing)
    };
    let router = zo
        .router()
        .outgoing::<Drawing>()
        .incoming("draw", zo.message().input::<Drawing>().handle(draw))
        .incoming("nan", zo.message().handle(not_a_number))
        .incoming(
            "echo",
            zo.message()
                .input::<Any>()
                .handle(async |_: Context, any: Any| Ok(any.0)),
        );
    zo.serve(router)
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Any(Value);

async fn visit() -> TestClient {
    TestApp::new(app()).connect(&()).await.unwrap()
}

#[tokio::test]
async fn numbers_with_a_fraction_are_read_at_every_place_by_server_and_clients() {
    let mut line = drawing();
    line.figure = Figure::Line {
        points: vec![(0.5, 0.25), (3.0, 1e-3)],
    };
    let mut visitor = visit().await;
    let server: Server = serve(app()).await;
    let client = Client::builder(server.url("")).connect().await.unwrap();
    let mut drawn = client.on::<Drawing>();
    for drawing in [drawing(), line] {
        assert_eq!(
            visitor.call_route::<Drawing>("draw", &drawing).await.unwrap(),
            drawing
        );
        assert_eq!(visitor.expect::<Drawing>().await, drawing);
        assert_eq!(
            client.call_route::<Drawing>("draw", &drawing).await.unwrap(),
            drawing
        );
        let event = tokio::time::timeout(PATIENCE, drawn.next()).await.unwrap();
        assert_eq!(event.unwrap().unwrap(), drawing);
    }
}

#[tokio::test]
async fn a_number_that_does_not_fit_is_an_issue_at_its_place() {
    let mut client = visit().await;
    for (pointer, value, expected, params) in [
        (
            "/radius",
            json!(1.5),
            "type radius: expected an integer, got a number",
            json!({"actual":"number","expected":"integer"}),
        ),
        (
            "/radius",
            json!(-1),
            "minimum radius: expected at least 0, got a smaller number",
            json!({"min":0}),
        ),
        (
            "/radius",
            json!(256),
            "maximum radius: expected at most 255, got a greater number",
            json!({"max":255}),
        ),
        (
            "/figure/width",
            json!(0.25),
            "minimum figure.width: expected at least 0.5, got a smaller number",
            json!({"min":0.5}),
        ),
        (
            "/figure/width",
            json!("1.5"),
            "type figure.width: expected a number, got a string",
            json!({"actual":"string","expected":"number"}),
        ),
        (
            "/figure/label",
            json!(1.5),
            "type figure.label: expected a string, got a number",
            json!({"actual":"number","expected":"string"}),
        ),
        (
            "/x",
            json!("1.5"),
            "type x: expected a number, got a string",
            json!({"actual":"string","expected":"number"}),
        ),
        (
            "/either",
            json!([1.5]),
            "type either: expected a number or a string, got an array",
            json!({"actual":"array","expected":["number","string"]}),
        ),
    ] {
        let mut payload = serde_json::to_value(drawing()).unwrap();
        *payload.pointer_mut(pointer).unwrap() = value.clone();
        let error = client.call_route::<Value>("draw", &payload).await.unwrap_err();
        let [issue] = error.refusal().unwrap().issues.as_slice() else {
            panic!("{error:?}");
        };
        let told = (format!("{} {issue}", issue.code), json!(issue.params));
        assert_eq!(told, (expected.to_owned(), params), "{pointer} {value}");
    }
}

#[tokio::test]
async fn integers_in_another_form_are_integers() {
    let mut client = visit().await;
    for radius in ["7", "7.0", "70e-1", "0.7e1"] {
        let payload = json!(drawing())
            .to_string()
            .replace("\"radius\":7", &format!("\"radius\":{radius}"));
        let payload: Box<serde_json::value::RawValue> = serde_json::from_str(&payload).unwrap();
        assert_eq!(
            client.call_route::<Drawing>("draw", &payload).await.unwrap(),
            drawing(),
            "{radius}"
        );
    }
    let payload = json!(drawing())
        .to_string()
        .replace("\"radius\":7", "\"radius\":-0");
    let payload: Box<serde_json::value::RawValue> = serde_json::from_str(&payload).unwrap();
    assert_eq!(
        client
            .call_route::<Drawing>("draw", &payload)
            .await
            .unwrap()
            .radius,
        0
    );
}

#[tokio::test]
async fn an_id_that_is_a_number_is_repeated_as_it_was_sent() {
    let server = serve(app()).await;
    let mut raw = server.raw().await;
    for id in [
        "1",
        "1.0",
        "-0",
        "1e2",
        "0.10",
        "18446744073709551616",
        "123456789012345678901234567890.5",
    ] {
        let frame = format!(r#"{{"type":"echo","payload":[1.5,2],"rpcId":{id}}}"#);
        raw.write(&crate::common::raw::frame(0x81, frame.as_bytes()))
            .await;
        let expected = format!(r#"{{"type":"__rpc_res","payload":[1.5,2],"rpcId":{id}}}"#);
        assert_eq!(raw.read_text().await, expected);
    }
}

#[tokio::test]
async fn a_float_that_is_not_finite_is_refused_in_both_directions() {
    let mut client = visit().await;
    let error = client.call_route::<Value>("nan", &()).await.unwrap_err();
    assert!(
        error.to_string().starts_with("INTERNAL_SERVER_ERROR: "),
        "{error}"
    );
    let mut drawing = drawing();
    drawing.figure = Figure::Line {
        points: vec![(0.5, f32::INFINITY)],
    };
    let error = client.call_route::<Value>("draw", &drawing).await.unwrap_err();
    assert!(matches!(error, CallError::Encode(_)), "{error}");
    let reason = error.source().unwrap().to_string();
    assert!(
        reason.contains("figure.points[0][1]: expected a finite number, got inf"),
        "{reason}"
    );
}
