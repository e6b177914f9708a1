//! The values of each type, and JSON that is none.

use serde_json::json;

use super::{super::Defaults, *};

fn inner() -> Inner {
    Inner {
        a: Some("x".into()),
        b: Some(1),
    }
}

pub(super) fn table() -> Truth {
    let zo = Zocket::builder().build();
    let truth = Truth {
        router: zo.router(),
        zo,
        checks: String::new(),
    };
    let leaf = Recursive {
        children: vec![],
        next: None,
    };
    let recursive = Recursive {
        children: vec![leaf.clone()],
        next: Some(Box::new(leaf.clone())),
    };
    truth
        .check(
            "t.renamed",
            &[Renamed {
                first_name: "A".into(),
                other: true,
            }],
            &[
                json!({ "first_name": "A", "x-y": true }),
                json!({ "firstName": "A" }),
            ],
        )
        .check(
            "t.asymmetric",
            &[Asymmetric {
                first_name: "A".into(),
            }],
            &[json!({ "first-name": "A" })],
        )
        .input(
            "t.asymmetric",
            &[json!({ "first-name": "A" })],
            &[json!({ "firstName": "A" })],
        )
        .check(
            "t.tagged",
            &[
                Tagged::Circle { r: 0.5 },
                Tagged::Empty,
                Tagged::Wrapped(inner()),
                Tagged::Wrapped(Inner { a: None, b: None }),
            ],
            &[
                json!({ "kind": "circle" }),
                json!({ "kind": "square" }),
                json!({ "r": 1 }),
                json!({ "kind": "empty", "r": 1 }),
            ],
        )
        .check(
            "t.adjacent",
            &[Adjacent::A(1), Adjacent::B { x: "x".into() }, Adjacent::Unit],
            &[
                json!({ "t": "A", "c": "1" }),
                json!({ "t": "A" }),
                json!({ "t": "D" }),
            ],
        )
        .check(
            "t.untagged",
            &[
                Untagged::Number(1),
                Untagged::Text("x".into()),
                Untagged::Object { a: true },
            ],
            &[json!(true), json!({ "a": 1 }), json!(null)],
        )
        .check(
            "t.external",
            &[
                External::A(1, "x".into()),
                External::B { x: "x".into() },
                External::Unit,
                External::Wrapped(inner()),
            ],
            &[
                json!("A"),
                json!({ "A": [1] }),
                json!({ "C": 1 }),
                json!("Nothing"),
            ],
        )
        .check("t.plain", &[Plain::A, Plain::B], &[json!("B"), json!(0)])
        .check("t.newtype", &[Newtype("x".into())], &[json!(1), json!(["x"])])
        .check(
            "t.tuple",
            &[Tuple(1, "x".into(), None), Tuple(1, "x".into(), Some(true))],
            &[json!([1, "x"]), json!(["x", 1, null]), json!([1, "x", null, 1])],
        )
        .check("t.unit", &[Unit {}], &[json!(1)])
        .check(
            "t.recursive",
            &[recursive],
            &[
                json!({ "children": [{}], "next": null }),
                json!({ "children": [] }),
            ],
        )
        .check(
            "t.page",
            &[Page {
                items: vec![Plain::A],
                total: 1,
            }],
            &[json!({ "items": ["x"], "total": 1 }), json!({ "items": [] })],
        )
        .check(
            "t.pages",
            &[Page {
                items: vec![1_u8],
                total: 1,
            }],
            &[json!({ "items": ["A"], "total": 1 })],
        )
        .input("t.page", &[json!({ "items": ["A"] })], &[json!({ "total": 1 })])
        .check(
            "t.flat",
            &[Flat {
                z: 1,
                inner: inner(),
                more: Tagged::Circle { r: 1.0 },
            }],
            &[json!({ "z": 1 }), json!({ "z": 1, "a": "x", "kind": "circle" })],
        )
        .check(
            "t.flatMap",
            &[FlatMap {
                z: 1,
                rest: BTreeMap::from([("k".into(), 2)]),
            }],
            &[json!({ "k": 2 })],
        )
        .check(
            "t.maps",
            &[Maps {
                by_number: BTreeMap::from([(-1, "x".into())]),
                by_text: HashMap::from([("k".into(), None), ("l".into(), Some(1))]),
            }],
            &[json!({ "by_number": { "1": 1 }, "by_text": {} })],
        )
        .check(
            "t.numbers",
            &[Numbers {
                i: i64::MIN,
                u: u64::MAX,
                f: 0.1,
                byte: 255,
                bytes: vec![0, 1],
                array: [0.0, 1.0, 2.0],
            }],
            &[
                json!({ "i": "1", "u": 1, "f": 1, "byte": 1, "bytes": [], "array": [0, 0, 0] }),
                json!({ "i": 1, "u": 1, "f": 1, "byte": 1, "bytes": [], "array": [0, 0] }),
            ],
        )
        .check(
            "t.defaults",
            &[Defaults {
                count: 1,
                tags: vec![],
                must: true,
            }],
            &[
                json!({ "must": true }),
                json!({ "count": 1, "tags": null, "must": true }),
            ],
        )
        .input(
            "t.defaults",
            &[json!({ "must": true }), json!({ "must": true, "count": 1 })],
            &[json!({ "count": 1 }), json!({ "must": true, "count": null })],
        )
        .check(
            "t.options",
            &[
                Options {
                    option: None,
                    nested: None,
                    list: vec![None, Some(1)],
                },
                Options {
                    option: Some(1),
                    nested: Some(Some(1)),
                    list: vec![],
                },
            ],
            &[
                json!({ "nested": null, "list": [] }),
                json!({ "option": "x", "nested": null, "list": [] }),
            ],
        )
        .input(
            "t.options",
            &[json!({ "list": [] }), json!({ "option": null, "list": [] })],
            &[json!({})],
        )
        .check(
            "t.times",
            &[Times {
                at: chrono::DateTime::UNIX_EPOCH,
                id: uuid::Uuid::nil(),
                set: BTreeSet::from(["x".into()]),
                any: json!({ "a": [1] }),
                letter: 'ß',
            }],
            &[json!({ "at": 1, "id": "", "set": [], "any": null, "letter": "x" })],
        )
        .check("t.strict", &[Strict { a: 1 }], &[json!({ "a": 1, "b": 2 })])
        .check(
            "t.reserved",
            &[Reserved {
                class: "x".into(),
                comment: 1,
                empty: 2,
            }],
            &[json!({ "class": "x" })],
        )
}
