//! What the compiler refuses, and what it says: the texts hold for the toolchain of `rust-toolchain.toml`.

#[test]
fn mistakes_do_not_compile_and_the_error_names_the_missing_part() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
