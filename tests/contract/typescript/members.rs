//! Members of the client: routes, events and connect headers.

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use zocket::Zocket;

use super::small;

#[test]
fn routes_and_events_are_members_with_their_comments() {
    let text = small().typescript();
    for part in [
        "  readonly chat: {\n    /** Says something. */\n    readonly post: Call<Defaults, void>;\n  };\n",
        "  readonly whoami: Call<void, string, \"NOBODY\">;\n",
        "    readonly chat: {\n      /** An event with a comment that would end a comment: *\\/ `code` */\n      readonly message: EventSource<Said>;\n    };\n",
        "/** An event with a comment that would end a comment: *\\/ `code` */\nexport interface Said {\n  /** Of whom. */\n  from: string;\n}\n",
        "  /** @default 0 */\n  count?: number | undefined;\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

/// The client's headers.
#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(skip)]
    _name: String,
}

#[test]
fn a_connect_header_named_headers_is_typed() {
    let zo = Zocket::builder()
        .on_connect(async |_: Headers, _: zocket::ClientId| Ok(()))
        .build();
    let text = zo.router().contract().typescript();
    assert!(
        text.contains("/** The client's headers. */\nexport interface Headers {\n  _name: string;\n}\n"),
        "{text}"
    );
    assert!(
        !text.contains("type Headers =") && !text.contains("Headers_"),
        "{text}"
    );
    assert!(small().typescript().contains("export type Headers ="));
}
