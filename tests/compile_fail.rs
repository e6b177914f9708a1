//! Compiler errors for typical mistakes. The expected texts are for the toolchain in `rust-toolchain.toml`.
use std::fs;

#[test]
fn mistakes_do_not_compile_and_the_error_names_the_missing_part() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

/// The compiler names a closure by the path of its file, and shortens a message that is too long: the text would depend
/// on the folder that the project is in. An async fn is named without a path.
#[test]
fn no_expected_text_depends_on_the_folder_of_the_project() {
    // These messages are not shortened, whatever the path's length.
    const COMPLETE: &[&str] = &[
        "= note: required for `{async closure@",
        "return type of closure `{async block@",
    ];
    for entry in fs::read_dir("tests/compile_fail").unwrap() {
        let path = entry.unwrap().path();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let complete = COMPLETE.iter().any(|text| line.contains(text));
            assert!(complete || !line.contains("@$DIR"), "{}: {line}", path.display());
        }
    }
}
