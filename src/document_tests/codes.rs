use std::collections::BTreeMap;

use zocket_layers::{Code, http::status_of};

use super::lists::{Document, Entry, assert_none, words};
use crate::upgrade::statuses;

fn is_code(char: char) -> bool {
    char.is_ascii_uppercase() || char == '_'
}

/// Returns the words of a text that are written like an error code: `NOT_FOUND`.
fn codes_in(text: &str) -> Vec<&str> {
    let mut words = words(text, |char| is_code(char) || char.is_ascii_lowercase());
    words.retain(|word| word.len() > 3 && word.chars().all(is_code));
    words
}

#[test]
fn error_codes_are_in_the_protocol_and_in_the_guide() {
    let codes: BTreeMap<_, _> = Code::PROTOCOL
        .iter()
        .map(|code| (code.to_string(), String::new()))
        .collect();
    let named = |cell: &str| {
        codes_in(cell)
            .into_iter()
            .map(|code| (code.to_owned(), String::new()))
            .collect::<Vec<_>>()
    };
    let protocol = Document::read("PROTOCOL.md").table("| failure | code |", |cells| named(cells[1]));
    let guide = Document::read("src/guide/errors.md");
    let failures = guide.table("| failure | code | by |", |cells| named(cells[1]));
    let mut differences = protocol.differences(&codes);
    differences.extend(failures.differences(&codes));

    let statuses = Code::PROTOCOL
        .iter()
        .map(|code| (code.to_string(), status_of(*code).as_u16().to_string()));
    let own = (
        "an app's own".to_owned(),
        status_of(Code::app("OWN")).as_u16().to_string(),
    );
    let table = guide.table("| code | status |", |cells| {
        [(cells[0].to_owned(), cells[1].to_owned())]
    });
    differences.extend(table.differences(&statuses.chain([own]).collect()));
    assert_none(&differences);
}

#[test]
fn statuses_of_the_handshake_are_in_the_protocol() {
    let protocol = Document::read("PROTOCOL.md");
    let statuses: BTreeMap<_, _> = statuses()
        .into_iter()
        .map(|status| (status.to_string(), String::new()))
        .collect();
    let numbers = |text: &str| {
        let mut numbers = words(text, |char| char.is_ascii_alphanumeric());
        numbers.retain(|word| word.len() == 3 && word.parse::<u16>().is_ok());
        numbers
            .into_iter()
            .map(|number| (number.to_owned(), String::new()))
            .collect::<Vec<_>>()
    };
    let mut table = protocol.table("| response | condition | body |", |cells| numbers(cells[0]));

    let begin = protocol
        .lines
        .iter()
        .position(|(_, line)| line.starts_with("`on_connect`'s code becomes the status"));
    let paragraph = protocol.lines[begin.unwrap()..]
        .iter()
        .take_while(|(_, line)| !line.is_empty());
    let paragraph: Vec<_> = paragraph.collect();
    let place = protocol.place(paragraph[0].0);
    let text = paragraph
        .iter()
        .map(|(_, line)| line.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    table
        .entries
        .extend(numbers(&text).into_iter().map(|(name, value)| Entry {
            place: place.clone(),
            name,
            value,
        }));
    let mut differences = table.differences(&statuses);

    for code in Code::PROTOCOL {
        let status = status_of(code).as_u16();
        // A code that is not named there falls under "anything else".
        let expected = format!("{code} {status}");
        if text.contains(code.as_str()) && !text.contains(&expected)
            || status != 400 && !text.contains(&expected)
        {
            differences.push(format!("{place}: write `{expected}`"));
        }
    }
    assert_none(&differences);
}
