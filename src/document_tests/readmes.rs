use super::lists::{assert_none, root};

/// Returns true for a line that rustdoc hides, and the web shows.
fn is_hidden(line: &str) -> bool {
    let line = line.trim_start();
    line == "#" || line.starts_with("# ")
}

#[test]
fn examples_in_readmes_have_no_hidden_lines() {
    let mut hidden = Vec::new();
    for readme in ["README.md", "layers/README.md"] {
        let text = std::fs::read_to_string(root().join(readme)).unwrap();
        let mut in_rust = false;
        for (line, number) in text.lines().zip(1..) {
            match line.strip_prefix("```") {
                Some(language) => in_rust = language.starts_with("rust"),
                None if in_rust && is_hidden(line) => hidden.push(format!("{readme}:{number}: {line}")),
                None => {}
            }
        }
    }
    assert_none(&hidden);
}
