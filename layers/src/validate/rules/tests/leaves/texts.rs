//! Patterns and formats of texts.

use serde_json::{Value, json};

use super::{super::super::pattern::Pattern, Random, compare};

const PATTERNS: [&str; 44] = [
    "",
    "a",
    "^a",
    "a$",
    "^a$",
    "^[a-z]+$",
    "^(a|b|z)$",
    "^\\S*$",
    "^\\s*$",
    "\\d",
    "^\\D*$",
    "^\\w+$",
    "\\W",
    "^.$",
    "^.{2,4}$",
    "^[^a-z]$",
    "[\\d_]",
    "^[^\\s]+$",
    "^[\\w.-]+$",
    "[a-]",
    "[-a]",
    "^[a-z--b]+$",
    "[&&]",
    "^[a~~b]+$",
    "[[]",
    "[]a]",
    "^[^\\]]*$",
    "\\.",
    "\\\\",
    "\\/",
    "\\-",
    "^\\p{L}+$",
    "\\u00e9",
    "\\x41",
    "\\cJ",
    "\\n|\\r",
    "(?:a|b){2}",
    "(?<name>a)b",
    "a*?b",
    "\\bz",
    "^[\\w--]+$",
    "日|😀",
    "^é$",
    "\\ba\\b",
];

#[test]
fn patterns_are_those_of_ecma_262() {
    let mut random = Random(6);
    let mut texts: Vec<Value> = (0..1_500).map(|_| random.text()).collect();
    let letters = [
        "", "a", "b", "z", "9", "٣", "é", "ß", "_", ".", "-", "\n", "\r", "\u{2028}", "\u{a0}", "\u{feff}",
        "\u{85}", "日", "😀", "\\", "/", "&", "~", "[", "]", "A",
    ];
    texts.extend(letters.map(Value::from));
    texts.extend([json!(1), json!(["a"])]);
    for pattern in PATTERNS {
        assert!(Pattern::new(pattern).is_some(), "{pattern}");
    }
    let schemas = PATTERNS.map(|pattern| json!({ "pattern": pattern }));
    let refusals = compare(&schemas, &texts);
    assert!(refusals > 10_000, "{refusals}");
}

/// Texts that have a format, or nearly have it.
const FORMATTED: [(&str, &[&str]); 9] = [
    (
        "date",
        &[
            "2024-02-29",
            "2023-02-29",
            "1900-02-29",
            "2000-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-04-31",
            "2024-12-31",
            "2024-1-1",
            "20240101",
            "٢٠٢٤-01-01",
            "+024-01-01",
            "2024-01-01 ",
            "0000-01-01",
            "2024-01-00",
        ],
    ),
    (
        "time",
        &[
            "10:20:30Z",
            "10:20:30z",
            "10:20:30",
            "24:00:00Z",
            "23:59:60Z",
            "22:59:60Z",
            "22:59:60-01:00",
            "00:29:60+00:30",
            "10:20:30.Z",
            "10:20:30.123456789+23:59",
            "10:20:30+24:00",
            "10:20:30+0100",
            "10:60:00Z",
            "10:20:61Z",
            "1:20:30Z",
            "10:20:30-00:60",
            "01:29:60+01:30",
            "01:29:60+01:31",
            "10:20:30.5",
            "10:20:30.٣Z",
        ],
    ),
    (
        "date-time",
        &[
            "2024-02-29T10:20:30Z",
            "2024-02-29t10:20:30+01:00",
            "2024-02-29 10:20:30Z",
            "2024-02-30T10:20:30Z",
            "2024-02-29T10:20:30",
            "T10:20:30Z",
            "2024-02-29T",
            "2016-12-31T23:59:60Z",
            "2024-02-29TT10:20:30Z",
        ],
    ),
    (
        "duration",
        &[
            "P1Y",
            "P1Y2M3D",
            "P1Y3D",
            "PT1H",
            "PT1H3S",
            "P1DT2H3M4S",
            "P",
            "PT",
            "P1",
            "1Y",
            "P1W",
            "P1W1D",
            "P1Y1W",
            "P1WT1H",
            "P-1D",
            "P1.5D",
            "P1D2M",
            "PT1M2H",
            "P1M",
            "PT1M1S",
            "P1DT",
            "P1DT1S ",
            "p1d",
            "P1D1D",
        ],
    ),
    (
        "uuid",
        &[
            "67e55044-10b1-426f-9247-bb680e5fe0c8",
            "67E55044-10B1-426F-9247-BB680E5FE0C8",
            "67e5504410b1426f9247bb680e5fe0c8",
            "67e55044-10b1-426f-9247-bb680e5fe0c",
            "67e55044-10b1-426f-9247-bb680e5fe0cg",
            "{67e55044-10b1-426f-9247-bb680e5fe0c8}",
            "67e55044-10b1-426f-9247bb-680e5fe0c8",
            "urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8",
        ],
    ),
    (
        "ipv4",
        &[
            "127.0.0.1",
            "127.0.0.01",
            "256.0.0.1",
            "::1",
            "127.1",
            "127.0.0.1 ",
        ],
    ),
    (
        "ipv6",
        &[
            "::1",
            "fe80::1%eth0",
            "127.0.0.1",
            "::ffff:127.0.0.1",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8:9",
            "[::1]",
        ],
    ),
    ("ip", &["::1", "127.0.0.1", "localhost"]),
    ("uri", &["http://a.b", "/a", "mailto:a@b.org", "http://"]),
];

#[test]
fn formats_are_those_of_the_standard() {
    let texts: Vec<Value> = FORMATTED
        .iter()
        .flat_map(|(_, texts)| *texts)
        .flat_map(|text| {
            // Each text, and each text that lacks or has doubled one character.
            let letters: Vec<char> = text.chars().collect();
            let altered = (0..letters.len()).flat_map(|at| {
                let (mut without, mut doubled) = (letters.clone(), letters.clone());
                without.remove(at);
                doubled.insert(at, letters[at]);
                [without, doubled].map(|letters| letters.into_iter().collect::<String>())
            });
            altered
                .chain([(*text).to_owned()])
                .map(Value::from)
                .collect::<Vec<_>>()
        })
        .chain([json!(1), json!(null)])
        .collect();
    for (format, _) in FORMATTED {
        let refusals = compare(&[json!({ "format": format })], &texts);
        assert!(
            refusals > 100 && texts.len() - refusals > 2,
            "{format}: {refusals}"
        );
    }
}
