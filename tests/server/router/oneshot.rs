//! Procedures and routers without a server: their recorded effects, and their refusals.

use serde_json::json;
use tower::{BoxError, Service, ServiceExt};
use zocket::{
    ClientId, Close, Code, Connection, Context, Error, Event, Message, NoHeaders, Procedure, Reply, Zocket,
    layers::{Effect, Target},
};

use super::{Post, Said, code, message, post};

/// The context of an admin.
struct Admin {
    name: &'static str,
}

struct User {
    name: &'static str,
    is_admin: bool,
}

async fn require_admin(cx: Context<User>) -> Result<Admin, Error> {
    if cx.is_admin {
        Ok(Admin { name: cx.name })
    } else {
        Err(Error::forbidden("admins only"))
    }
}

/// Returns an app whose clients are not admins.
fn app() -> Zocket<User> {
    Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| {
            Ok(User {
                name: "",
                is_admin: false,
            })
        })
        .build()
}

fn clear(
    zo: &Zocket<User>,
) -> Procedure<User, impl Service<Message, Response = Reply, Error = BoxError> + Clone, Post, &'static str> {
    zo.message()
        .input::<Post>()
        .with(require_admin)
        .handle(async |cx: Context<Admin>, input: Post| {
            cx.rooms().join("attic")?;
            assert!(cx.rooms().has("attic"));
            assert_eq!(cx.rooms().size("attic").await, 1);
            cx.send(Said { text: "one" }).to_rooms(["attic", "cellar"]);
            cx.send(Said { text: "two" }).to([cx.client_id()]);
            cx.send(Said { text: "three" }).broadcast();
            cx.rooms().leave("attic");
            cx.close(4000, input.text);
            Ok(cx.name)
        })
}

#[tokio::test]
async fn a_procedure_called_directly_records_its_effects() {
    let zo = app();
    let connection = Connection::detached(User {
        name: "Ann",
        is_admin: true,
    });
    let (ann, hub) = (connection.client_id(), connection.hub().clone());
    let reply = clear(&zo).oneshot(post(connection, "bye")).await.unwrap();
    assert_eq!(reply.answer.as_json(), br#""Ann""#);
    let emit = |to, text| Effect::Emit {
        to,
        event: Event::of(&Said { text }).unwrap(),
    };
    assert_eq!(
        reply.effects,
        [
            Effect::Join("attic".into()),
            emit(Target::rooms(["attic", "cellar"]), "one"),
            emit(Target::clients(vec![ann]), "two"),
            emit(Target::everyone(), "three"),
            Effect::Leave("attic".into()),
            Effect::Close(Close::new(4000, "bye")),
        ]
    );
    // The effects were not performed.
    assert!(hub.rooms(&ann).is_empty());
}

#[tokio::test]
async fn a_procedure_called_directly_refuses_as_in_an_app() {
    let zo = app();
    let call = |text: &str| {
        let bob = User {
            name: "Bob",
            is_admin: false,
        };
        let message = post(Connection::detached(bob), text);
        async {
            *clear(&zo)
                .oneshot(message)
                .await
                .unwrap_err()
                .downcast::<Error>()
                .unwrap()
        }
    };
    assert_eq!(call("bye").await.to_string(), "FORBIDDEN: admins only");
    let refusal = call("much too long").await;
    assert_eq!(refusal.code(), Code::BAD_REQUEST);
    assert_eq!(json!(refusal.issues())[0]["path"], json!(["text"]));
    // A context of another app is an error, not a panic.
    let refusal = clear(&zo).oneshot(message((), "clear")).await.unwrap_err();
    assert_eq!(code(&refusal), Code::BAD_REQUEST);
    let foreign = post(Connection::detached(7_u8), "bye");
    let refusal = clear(&zo).oneshot(foreign).await.unwrap_err();
    assert_eq!(code(&refusal), Code::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn an_undeclared_code_becomes_an_internal_error() {
    const FULL: Code = Code::app("FULL");
    let zo = Zocket::builder().build();
    let full = async |_: Context<()>| Err::<(), _>(Error::new(FULL, "8 players"));
    let router = zo
        .router()
        .incoming("declared", zo.message().declare_code(FULL).handle(full))
        .incoming("undeclared", zo.message().handle(full))
        .into_service()
        .unwrap();
    for (route, expected) in [("declared", FULL), ("undeclared", Code::INTERNAL_SERVER_ERROR)] {
        let error = router.clone().oneshot(message((), route)).await.unwrap_err();
        assert_eq!(code(&error), expected, "{route}");
    }
}
