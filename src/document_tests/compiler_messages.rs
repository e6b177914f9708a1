use std::collections::BTreeSet;

use super::lists::{Document, assert_none, root};

#[test]
fn the_compilers_messages_in_the_guide_are_what_the_compiler_says() {
    let folder = std::fs::read_dir(root().join("tests/compile_fail")).unwrap();
    let files = folder.map(|file| file.unwrap().path());
    let messages: String = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "stderr"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let said: BTreeSet<_> = messages.lines().map(str::trim).collect();

    let guide = Document::read("src/guide/errors.md");
    let begin = guide
        .lines
        .iter()
        .position(|(_, line)| line == "# Compiler messages")
        .unwrap();
    let (mut is_message, mut differences) = (false, Vec::new());
    for (number, line) in &guide.lines[begin..] {
        match line.as_str() {
            "```text" => is_message = true,
            "```" => is_message = false,
            line if is_message && !said.contains(line.trim()) => differences.push(format!(
                "{}: no file in tests/compile_fail has the line `{}`",
                guide.place(*number),
                line.trim()
            )),
            _ => {}
        }
    }
    assert_none(&differences);
}
