//! Codes that no app can have.
use zocket::Code;

const EMPTY: Code = Code::app("");
const TWO_WORDS: Code = Code::app("ROOM FULL");
const OF_THE_PROTOCOL: Code = Code::app("NOT_FOUND");

fn main() {
    println!("{EMPTY} {TWO_WORDS} {OF_THE_PROTOCOL}");
}
