use std::collections::BTreeMap;

use zocket_layers::Limits;

use super::lists::{Document, assert_none, quoted, root, words};

/// Returns the limits with their defaults, written as people write them. The derived `Debug` has every field.
fn limits() -> BTreeMap<String, String> {
    let debug = format!("{:?}", Limits::default());
    let fields = debug.trim_start_matches("Limits { ").trim_end_matches(" }");
    let field = |field: &str| {
        let (name, value) = field.split_once(": ").unwrap();
        (name.to_owned(), readable(value))
    };
    fields.split(", ").map(field).collect()
}

/// Returns `1 MiB` for 1048576, `1,000` for 1000, `30 s` for 30s.
fn readable(value: &str) -> String {
    const MIB: u64 = 1 << 20;
    match value.parse::<u64>() {
        Ok(bytes) if bytes >= MIB && bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        Ok(count) if count >= 1_000 => format!("{},{:03}", count / 1_000, count % 1_000),
        Ok(count) => count.to_string(),
        Err(_) => format!("{} s", value.trim_end_matches('s')),
    }
}

#[test]
fn limits_and_their_defaults_are_in_the_guide() {
    let guide = Document::read("src/guide/deploying.md");
    let table = guide.table("| limit | default | beyond it |", |cells| {
        [(quoted(cells[0]).remove(0), cells[1].to_owned())]
    });
    assert_none(&table.differences(&limits()));
}

#[test]
fn each_limit_says_its_default() {
    let (path, limits) = ("layers/src/limits.rs", limits());
    let source = std::fs::read_to_string(root().join(path)).unwrap();
    let (mut doc, mut differences) = (String::new(), Vec::new());
    for (number, line) in (1..).zip(source.lines().map(str::trim)) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push_str(text);
            continue;
        }
        let doc = std::mem::take(&mut doc);
        let field = line.strip_prefix("pub ").and_then(|field| field.split_once(": "));
        let Some((name, expected)) = field.and_then(|(name, _)| limits.get_key_value(name)) else {
            continue;
        };
        let says = doc.split_once("Default: ").map_or("", |(_, default)| default);
        if says.trim_end_matches('.') != expected {
            differences.push(format!(
                "{path}:{number}: the default of `{name}` is `{expected}`, and `{says}` in its comment"
            ));
        }
    }
    assert_none(&differences);
}

#[test]
fn limits_that_a_document_mentions_exist_with_the_value_that_it_gives() {
    let limits = limits();
    let mut differences = Vec::new();
    for document in Document::all() {
        for (number, line) in &document.lines {
            for mention in line.split("Limits::").skip(1) {
                let name = words(mention, |char| char.is_ascii_lowercase() || char == '_')
                    .first()
                    .copied();
                let name = name.filter(|name| mention.starts_with(name)).unwrap_or("default");
                let place = document.place(*number);
                match limits.get(name) {
                    None if name == "default" => {}
                    None => differences.push(format!("{place}: there is no `Limits::{name}`")),
                    Some(expected) => {
                        let given = mention[name.len()..]
                            .strip_prefix("` (")
                            .and_then(|rest| rest.split_once(')'));
                        if let Some((given, _)) = given.filter(|(given, _)| given != expected) {
                            differences.push(format!(
                                "{place}: `Limits::{name}` is {expected}, and {given} here"
                            ));
                        }
                    }
                }
            }
        }
    }
    let Limits {
        ping_after,
        pong_within,
        ..
    } = Limits::default();
    let guide = Document::read("src/guide/deploying.md");
    for expected in [
        format!("the server pings after {} s of silence", ping_after.as_secs()),
        format!(
            "[`pong_within`](crate::Limits::pong_within), {} s",
            (ping_after + pong_within).as_secs()
        ),
    ] {
        if !guide.lines.iter().any(|(_, line)| line.contains(&expected)) {
            differences.push(format!("{}: nowhere says `{expected}`", guide.path));
        }
    }
    assert_none(&differences);
}
