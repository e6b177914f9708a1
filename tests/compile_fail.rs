//! Compiler errors for typical mistakes. The expected texts are for the toolchain in `rust-toolchain.toml`.

#[test]
fn mistakes_do_not_compile_and_the_error_names_the_missing_part() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
