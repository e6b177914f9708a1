use std::collections::{BTreeMap, BTreeSet};

use zocket_layers::{Code, http::status_of};

use super::lists::{Document, assert_none, quoted};
use crate::core::closes::{self, REFUSED_ON_OPEN, refused_handshake};

#[test]
fn close_codes_and_their_reasons_are_in_the_protocol() {
    let mut code = BTreeMap::new();
    for close in closes::ALL {
        let reasons: &mut Vec<&str> = code.entry(close.code.to_string()).or_default();
        reasons.push(&close.reason);
    }
    // Its reason is the code of `on_open`'s error.
    code.entry(REFUSED_ON_OPEN.to_string()).or_default();
    let code = code.into_iter().map(|(code, reasons)| (code, reasons.join(", ")));
    let table = Document::read("PROTOCOL.md").table("| code | reason | meaning |", |cells| {
        let mut reasons = quoted(cells[1]);
        // tungstenite answers by itself, and by a sentence. `on_open` is a name.
        reasons.retain(|reason| reason != "Protocol violation" && reason != "on_open");
        [(cells[0].to_owned(), reasons.join(", "))]
    });
    assert_none(&table.differences(&code.collect()));
}

#[test]
fn close_codes_of_refused_handshakes_are_in_the_protocol() {
    let close = |code: Code| {
        let status = status_of(code);
        let close = refused_handshake(status, code);
        assert_eq!(close.reason, code.as_str());
        format!("{}, {}", status.as_u16(), close.code)
    };
    let own = close(Code::app("OWN"));
    let mut closes: BTreeMap<_, _> = Code::PROTOCOL
        .map(|code| (code.to_string(), close(code)))
        .into_iter()
        .filter(|(_, close)| *close != own)
        .collect();
    closes.insert("anything else".to_owned(), own);
    let table = Document::read("PROTOCOL.md").table("| error code | status | close code |", |cells| {
        [(cells[0].to_owned(), format!("{}, {}", cells[1], cells[2]))]
    });
    assert_none(&table.differences(&closes));
}

/// Returns the close codes of a text, each with the reason that follows it in backticks or quotes, perhaps in brackets.
fn reasons_in(text: &str) -> Vec<(u16, &str)> {
    let digits = text.match_indices(|char: char| char.is_ascii_digit());
    let codes = digits.filter_map(|(at, _)| {
        let code = text.get(at..at + 4)?.parse().ok()?;
        let rest = text[at + 4..].trim_start_matches([' ', '(']);
        let reason = rest.strip_prefix(['`', '"'])?.split(['`', '"']).next()?;
        let is_part = |char: char| char.is_ascii_lowercase() || char == '-';
        let is_reason = !reason.is_empty() && reason.chars().all(is_part);
        // The app's own codes begin with 4000.
        (is_reason && matches!(code, 1000..=3999)).then_some((code, reason))
    });
    codes.collect()
}

#[test]
fn close_codes_have_the_same_reasons_in_all_documents() {
    let known: BTreeSet<_> = closes::ALL
        .iter()
        .map(|close| (close.code, &*close.reason))
        .collect();
    let mut differences = Vec::new();
    for document in Document::all() {
        for (index, (number, line)) in document.lines.iter().enumerate() {
            // A reason may stand in the next line, whose own codes come later.
            let next = document.lines.get(index + 1).map_or("", |(_, next)| next);
            let next = next.trim_start().split(|char: char| char.is_ascii_digit()).next();
            let text = format!("{line} {}", next.unwrap_or_default());
            for (code, reason) in reasons_in(&text).into_iter().filter(|pair| !known.contains(pair)) {
                differences.push(format!(
                    "{}: the server never closes with {code} `{reason}`",
                    document.place(*number)
                ));
            }
        }
    }
    assert_none(&differences);
}
