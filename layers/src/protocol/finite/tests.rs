use std::collections::{BTreeMap, HashMap};

use serde::{Serialize, Serializer};

use super::write_value;

fn written<T: Serialize + ?Sized>(value: &T) -> Result<String, String> {
    let mut buffer = Vec::new();
    write_value(&mut buffer, value).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(buffer).unwrap())
}

#[derive(Serialize, Clone, Default)]
#[serde(rename_all = "camelCase")]
struct Reading {
    name: Option<String>,
    mean_value: f64,
    narrow: f32,
    maybe: Option<f64>,
}

#[derive(Serialize)]
struct Report {
    readings: Vec<Reading>,
    #[serde(flatten)]
    flat: Reading,
}

#[derive(Serialize)]
enum Shape {
    Point(f64, f64),
    Circle { radius: f64 },
    Angle(f64),
}

#[derive(Serialize)]
#[serde(tag = "kind")]
enum Tagged {
    Circle { radius: f64 },
}

#[derive(Serialize)]
#[serde(tag = "kind", content = "of")]
enum Adjacent {
    Circle { radius: f64 },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Untagged {
    Number(f64),
}

#[test]
fn a_float_that_is_not_finite_is_an_error_that_names_its_place() {
    let fine = Reading::default;
    let readings = vec![
        fine(),
        Reading {
            mean_value: f64::NAN,
            ..fine()
        },
    ];
    let nested = Report {
        readings,
        flat: fine(),
    };
    let flat = Report {
        readings: vec![fine()],
        flat: Reading {
            narrow: f32::INFINITY,
            ..fine()
        },
    };
    let maybe = Reading {
        maybe: Some(f64::NEG_INFINITY),
        ..fine()
    };
    for (got, place) in [
        (written(&f64::NAN), "expected a finite number, got NaN"),
        (
            written(&nested),
            "readings[1].meanValue: expected a finite number, got NaN",
        ),
        (written(&flat), "narrow: expected a finite number, got inf"),
        (written(&maybe), "maybe: expected a finite number, got -inf"),
        (
            written(&Shape::Point(0.0, f64::NAN)),
            "Point[1]: expected a finite number, got NaN",
        ),
        (
            written(&Shape::Circle { radius: f64::NAN }),
            "Circle.radius: expected a finite number, got NaN",
        ),
        (
            written(&Shape::Angle(f64::NAN)),
            "Angle: expected a finite number, got NaN",
        ),
        (
            written(&Tagged::Circle { radius: f64::NAN }),
            "radius: expected a finite number, got NaN",
        ),
        (
            written(&Adjacent::Circle { radius: f64::NAN }),
            "of.radius: expected a finite number, got NaN",
        ),
        (
            written(&[Untagged::Number(f64::NAN)]),
            "[0]: expected a finite number, got NaN",
        ),
        (
            written(&(1, [[f32::NAN]])),
            "[1][0][0]: expected a finite number, got NaN",
        ),
        (
            written(&BTreeMap::from([("a", 1.0), ("b", f64::NAN)])),
            "b: expected a finite number, got NaN",
        ),
        (
            written(&HashMap::from([(7, Some(f64::NAN))])),
            "7: expected a finite number, got NaN",
        ),
    ] {
        assert_eq!(got.unwrap_err(), place);
    }
}

#[test]
fn a_key_that_is_not_finite_is_an_error() {
    struct Keyed(f64);
    impl Serialize for Keyed {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(self.0, 1)])
        }
    }
    assert_eq!(written(&Keyed(0.5)), Ok(r#"{"0.5":1}"#.to_owned()));
    for key in [f64::NAN, f64::INFINITY] {
        assert!(written(&Keyed(key)).unwrap_err().contains("finite"), "{key}");
    }
}

#[test]
fn nulls_that_the_type_has_are_written() {
    let reading = Reading {
        mean_value: -0.0,
        narrow: f32::MAX,
        ..Reading::default()
    };
    let text = r#"{"name":null,"meanValue":-0.0,"narrow":3.4028235e+38,"maybe":null}"#;
    assert_eq!(written(&reading), Ok(text.to_owned()));
    assert_eq!(written(&()), Ok("null".to_owned()));
    assert_eq!(written(&[None, Some(1.5_f64)]), Ok("[null,1.5]".to_owned()));
    assert_eq!(
        written(&serde_json::json!({ "a": [null, 1e300] })),
        Ok(r#"{"a":[null,1e+300]}"#.to_owned())
    );
    assert_eq!(
        written(&(i128::MIN, u128::MAX, ())),
        Ok(format!("[{},{},null]", i128::MIN, u128::MAX))
    );
}

#[test]
fn a_null_that_the_app_writes_for_a_float_is_its_own() {
    fn or_null<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(value).serialize(serializer)
    }
    #[derive(Serialize)]
    struct Lenient {
        #[serde(serialize_with = "or_null")]
        value: f64,
    }
    assert_eq!(
        written(&Lenient { value: f64::NAN }),
        Ok(r#"{"value":null}"#.to_owned())
    );
}
