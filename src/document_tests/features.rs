use std::collections::BTreeMap;

use super::lists::{Document, assert_none, quoted, root};

/// Returns the features of a manifest, without `default`.
fn features(manifest: &str) -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join(manifest)).unwrap();
    let section = manifest.split("\n[features]\n").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let keys = lines.filter_map(|line| line.split_once(" = ["));
    keys.map(|(key, _)| key.to_owned())
        .filter(|key| key != "default")
        .collect()
}

#[test]
fn features_are_in_the_readme() {
    let mut code: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for (name, manifest) in [("zocket", "Cargo.toml"), ("zocket-layers", "layers/Cargo.toml")] {
        for feature in features(manifest) {
            code.entry(feature).or_default().push(name);
        }
    }
    let code = code
        .into_iter()
        .map(|(feature, crates)| (feature, crates.join(", ")));
    let table = Document::read("README.md").table("| feature | of | turns on | further crates |", |cells| {
        [(quoted(cells[0]).remove(0), quoted(cells[1]).join(", "))]
    });
    assert_none(&table.differences(&code.collect()));
}
