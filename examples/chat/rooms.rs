//! The chat's messages, events and handlers.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::Hash,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use garde::Validate;
use parking_lot::RwLock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{
    ClientId, Code, Context, Delivery, Error, Limits, Outgoing, Refusal, Router, Zocket, layers::TraceLayer,
};

const MAX_MEMBERS: usize = 100;

/// Connect headers.
#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(length(chars, min = 1, max = 40))]
    name: String,
    #[garde(skip)]
    #[serde(default)]
    role: Role,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Role {
    #[default]
    User,
    Admin,
}

/// Names of the connected clients, for the lists of a room's members.
type Names = Arc<RwLock<HashMap<ClientId, String>>>;

/// The context of a connection.
pub(crate) struct User {
    name: String,
    role: Role,
    names: Names,
}

/// The context of an admin. Only [`require_admin`] creates one.
struct Admin {
    name: String,
}

/// The context of a member of the message's room. Only [`require_member`] creates one.
struct Member {
    name: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Room {
    #[garde(length(chars, min = 1, max = 64))]
    room_id: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Post {
    #[garde(length(chars, min = 1, max = 64))]
    room_id: String,
    #[garde(length(chars, min = 1, max = 500))]
    text: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Typing {
    #[garde(length(chars, min = 1, max = 64))]
    room_id: String,
    #[garde(skip)]
    is_typing: bool,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Announce {
    #[garde(length(chars, min = 1, max = 500))]
    text: String,
}

/// The members of a room.
#[derive(Serialize, JsonSchema)]
struct Present {
    members: usize,
    who: Vec<Person>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Person {
    client_id: ClientId,
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Posted {
    id: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WhoAmI {
    client_id: ClientId,
    name: String,
    role: Role,
}

/// The room has as many members as it holds.
#[derive(Serialize, JsonSchema)]
struct RoomFull {
    most: usize,
}

impl Refusal for RoomFull {
    const CODE: Code = Code::app("ROOM_FULL");

    fn message(&self) -> Cow<'static, str> {
        format!("this room is full, with {} members", self.most).into()
    }
}

/// A client joined a room.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Joined {
    room_id: String,
    client_id: ClientId,
    name: String,
}

impl Outgoing for Joined {
    const TYPE: &'static str = "chat.joined";
}

/// A client left a room or disconnected.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Left {
    room_id: String,
    client_id: ClientId,
    name: String,
}

impl Outgoing for Left {
    const TYPE: &'static str = "chat.left";
}

/// A chat message in a room.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Said {
    id: String,
    room_id: String,
    text: String,
    from: String,
    /// Unix milliseconds.
    at: u64,
}

impl Outgoing for Said {
    const TYPE: &'static str = "chat.message";
}

/// A client started or stopped typing.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct IsTyping {
    room_id: String,
    client_id: ClientId,
    is_typing: bool,
}

impl Outgoing for IsTyping {
    const TYPE: &'static str = "chat.typing";
    const DELIVERY: Delivery = Delivery::Latest;

    fn delivery_key(&self) -> impl Hash {
        (&self.room_id, self.client_id)
    }
}

/// An admin's message to all clients.
#[derive(Serialize, JsonSchema)]
struct Announcement {
    text: String,
    from: String,
}

impl Outgoing for Announcement {
    const TYPE: &'static str = "system.announcement";
}

/// Returns the app, with its lifecycle functions and a span for each message. Its type does not name the layers.
pub(crate) fn app(limits: Limits) -> Zocket<User> {
    Zocket::builder()
        .limits(limits)
        .on_connect_with(
            Names::default(),
            async |names: Names, headers: Headers, client_id: ClientId| {
                names.write().insert(client_id, headers.name.clone());
                Ok(User {
                    name: headers.name,
                    role: headers.role,
                    names,
                })
            },
        )
        .on_disconnect(async |cx: Context<User>| {
            for room in cx.rooms().current() {
                say_left(&cx, room.to_string());
            }
            cx.names.write().remove(&cx.client_id());
        })
        .layer(TraceLayer::new())
        .build()
}

/// Returns the router: the routes and events of the chat.
pub(crate) fn router(zo: &Zocket<User>) -> Router<User> {
    let message = zo.message();
    let admin = message.clone().with(require_admin);
    let member = message.clone().with_input(require_member);
    zo.router()
        .nest(
            "chat",
            zo.router()
                .outgoing::<Joined>()
                .outgoing::<Left>()
                .outgoing::<Said>()
                .outgoing::<IsTyping>()
                .incoming("join", message.clone().refuses::<RoomFull>().handle(join))
                .incoming("leave", message.clone().handle(leave))
                .incoming("post", member.handle(post))
                .incoming("typing", message.clone().handle(typing)),
        )
        .nest("admin", zo.router().incoming("announce", admin.handle(announce)))
        .outgoing::<Announcement>()
        .incoming("whoami", message.handle(whoami))
}

async fn require_admin(cx: Context<User>) -> Result<Admin, Error> {
    match cx.role {
        Role::Admin => Ok(Admin {
            name: cx.name.clone(),
        }),
        Role::User => Err(Error::forbidden("only admins can send announcements")),
    }
}

async fn require_member(cx: Context<User>, input: Post) -> Result<(Member, Post), Error> {
    if cx.rooms().has(&input.room_id) {
        Ok((
            Member {
                name: cx.name.clone(),
            },
            input,
        ))
    } else {
        Err(Error::forbidden("join the room before you post"))
    }
}

async fn join(cx: Context<User>, Room { room_id }: Room) -> Result<Present, Error> {
    if !cx.rooms().has(&room_id) {
        cx.rooms().join(&*room_id)?;
        if cx.rooms().size(&room_id).await > MAX_MEMBERS {
            cx.rooms().leave(&*room_id);
            return Err(Error::refuse(RoomFull { most: MAX_MEMBERS }));
        }
        cx.send(Joined {
            room_id: room_id.clone(),
            client_id: cx.client_id(),
            name: cx.name.clone(),
        })
        .to_room(&*room_id);
    }
    let members = cx.rooms().members(&room_id).await;
    let names = cx.names.read();
    let who = members
        .into_iter()
        .filter_map(|client_id| {
            Some(Person {
                client_id,
                name: names.get(&client_id)?.clone(),
            })
        })
        .collect::<Vec<_>>();
    Ok(Present {
        members: who.len(),
        who,
    })
}

async fn leave(cx: Context<User>, Room { room_id }: Room) -> Result<(), Error> {
    if cx.rooms().has(&room_id) {
        say_left(&cx, room_id.clone());
        cx.rooms().leave(room_id);
    }
    Ok(())
}

async fn post(cx: Context<Member>, Post { room_id, text }: Post) -> Result<Posted, Error> {
    let id = ClientId::random().to_string();
    let at = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(Error::internal)?
        .as_millis();
    let at = u64::try_from(at).map_err(Error::internal)?;
    let said = Said {
        id: id.clone(),
        room_id: room_id.clone(),
        text,
        from: cx.name.clone(),
        at,
    };
    cx.send(said).to_room(room_id);
    Ok(Posted { id })
}

async fn typing(cx: Context<User>, Typing { room_id, is_typing }: Typing) -> Result<(), Error> {
    if cx.rooms().has(&room_id) {
        let client_id = cx.client_id();
        cx.send(IsTyping {
            room_id: room_id.clone(),
            client_id,
            is_typing,
        })
        .to_room(room_id);
    }
    Ok(())
}

async fn announce(cx: Context<Admin>, Announce { text }: Announce) -> Result<(), Error> {
    cx.send(Announcement {
        text,
        from: cx.name.clone(),
    })
    .broadcast();
    Ok(())
}

async fn whoami(cx: Context<User>) -> Result<WhoAmI, Error> {
    Ok(WhoAmI {
        client_id: cx.client_id(),
        name: cx.name.clone(),
        role: cx.role,
    })
}

fn say_left(cx: &Context<User>, room_id: String) {
    let left = Left {
        room_id: room_id.clone(),
        client_id: cx.client_id(),
        name: cx.name.clone(),
    };
    cx.send(left).to_room(room_id);
}
