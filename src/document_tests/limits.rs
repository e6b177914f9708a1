use std::collections::BTreeMap;

use zocket_layers::Limits;

use super::lists::{Document, assert_none, quoted, root, words};
use crate::core::AppLimits;

/// A struct of limits, and the places of its two lists.
struct Group {
    name: &'static str,
    source: &'static str,
    /// Head of its table in the guide.
    table: &'static str,
    /// The limits with their defaults, written as people write them.
    limits: BTreeMap<String, String>,
}

fn groups() -> [Group; 2] {
    [
        Group {
            name: "Limits",
            source: "layers/src/limits.rs",
            table: "| limit | default | beyond it |",
            limits: limits(&Limits::default()),
        },
        Group {
            name: "AppLimits",
            source: "src/core/app_limits.rs",
            table: "| limit of the app | default | beyond it |",
            limits: limits(&AppLimits::default()),
        },
    ]
}

/// Reads the fields. The derived `Debug` has every one.
fn limits(limits: &impl std::fmt::Debug) -> BTreeMap<String, String> {
    let debug = format!("{limits:?}");
    let fields = debug.split_once(" { ").unwrap().1.trim_end_matches(" }");
    let field = |field: &str| {
        let (name, value) = field.split_once(": ").unwrap();
        (name.to_owned(), readable(value))
    };
    fields.split(", ").map(field).collect()
}

/// Returns `1 MiB` for 1048576, `1,000` for 1000, `30 s` for 30s, and `no limit` for the largest number.
fn readable(value: &str) -> String {
    const MIB: u64 = 1 << 20;
    match value.parse::<u64>() {
        Ok(u64::MAX) => "no limit".to_owned(),
        Ok(bytes) if bytes >= MIB && bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        Ok(count) if count >= 1_000 => format!("{},{:03}", count / 1_000, count % 1_000),
        Ok(count) => count.to_string(),
        Err(_) => format!("{} s", value.trim_end_matches('s')),
    }
}

#[test]
fn limits_and_their_defaults_are_in_the_guide() {
    let guide = Document::read("src/guide/deploying.md");
    let differences = groups().into_iter().flat_map(|group| {
        let table = guide.table(group.table, |cells| {
            [(quoted(cells[0]).remove(0), cells[1].to_owned())]
        });
        table.differences(&group.limits)
    });
    assert_none(&differences.collect::<Vec<_>>());
}

#[test]
fn each_limit_says_its_default() {
    let mut differences = Vec::new();
    for Group { source, limits, .. } in groups() {
        let text = std::fs::read_to_string(root().join(source)).unwrap();
        let mut doc = String::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
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
                    "{source}:{number}: the default of `{name}` is `{expected}`, and `{says}` in its comment"
                ));
            }
        }
    }
    assert_none(&differences);
}

#[test]
fn limits_that_a_document_mentions_exist_with_the_value_that_it_gives() {
    let groups = groups();
    let mut differences = Vec::new();
    for document in Document::all() {
        for (number, line) in &document.lines {
            for (at, mark) in line.match_indices("Limits::") {
                let mention = &line[at + mark.len()..];
                let group = &groups[usize::from(line[..at].ends_with("App"))];
                let name = words(mention, |char| char.is_ascii_lowercase() || char == '_')
                    .first()
                    .copied();
                let name = name.filter(|name| mention.starts_with(name)).unwrap_or("default");
                let (place, limit) = (document.place(*number), format!("{}::{name}", group.name));
                match group.limits.get(name) {
                    None if name == "default" => {}
                    None => differences.push(format!("{place}: there is no `{limit}`")),
                    Some(expected) => {
                        let given = mention[name.len()..]
                            .strip_prefix("` (")
                            .and_then(|rest| rest.split_once(')'));
                        if let Some((given, _)) = given.filter(|(given, _)| given != expected) {
                            differences.push(format!("{place}: `{limit}` is {expected}, and {given} here"));
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
