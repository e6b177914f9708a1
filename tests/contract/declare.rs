//! Macros that declare the types and events of tests.

/// Declares types that are sent and received.
macro_rules! types {
    ($($(#[$meta:meta])* struct $name:ident $(<$($parameter:ident),*>)? { $($(#[$field_meta:meta])* $field:ident: $type:ty),* })*) => {$(
        #[derive(Serialize, Deserialize, JsonSchema, Validate)]
        #[garde(allow_unvalidated)]
        $(#[$meta])*
        pub(crate) struct $name $(<$($parameter: JsonSchema),*>)? { $($(#[$field_meta])* $field: $type),* }
    )*};
}

/// Returns a router with an event of each type.
macro_rules! events {
    ($zo:expr; $($name:literal: $type:ty),*) => {{
        let router: Router<()> = $zo.router();
        $(
            let router = {
                #[derive(Serialize, JsonSchema)]
                #[serde(transparent)]
                struct Event($type);
                impl Outgoing for Event {
                    const TYPE: &'static str = $name;
                }
                router.outgoing::<Event>()
            };
        )*
        router
    }};
}
