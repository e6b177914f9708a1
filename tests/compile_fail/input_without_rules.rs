//! An input type without constraints.
use schemars::JsonSchema;
use serde::Deserialize;
use zocket::Zocket;

#[derive(Deserialize, JsonSchema)]
struct Post {}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.message().input::<Post>();
}
