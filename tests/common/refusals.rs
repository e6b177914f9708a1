//! Refusals with data, two of which have one code.

use schemars::JsonSchema;
use serde::Serialize;
use zocket::{Code, Refusal};

/// Declares refusals with data.
macro_rules! refusals {
    ($($name:ident: $code:literal),*) => {$(
        #[derive(Serialize, JsonSchema)]
        pub(crate) struct $name {
            pub(crate) least: u64,
        }

        impl Refusal for $name {
            const CODE: Code = Code::app($code);
        }
    )*};
}

refusals! {
    Outbid: "OUTBID",
    OutbidToo: "OUTBID",
    Sold: "SOLD"
}
