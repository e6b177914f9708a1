//! Shared code of the Rust peers: typed messages of the small app that every server here serves, and the listener. The
//! app equals Zocket's own `examples/bench_server.rs`, over the base protocol of `PROTOCOL.md`.

use std::{borrow::Cow, env, io};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::net::{TcpListener, TcpSocket};

/// Maximum length of a text, in characters.
pub const TEXT: usize = 65_536;
/// Maximum length of a room's name, in characters.
pub const NAME: usize = 64;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, rename = "rpcId")]
    rpc_id: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Answer<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<T>,
    #[serde(rename = "rpcId")]
    rpc_id: &'a RawValue,
}

#[derive(Serialize)]
struct Event<T> {
    #[serde(rename = "type")]
    kind: &'static str,
    payload: T,
}

#[derive(Serialize)]
struct Refusal<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "rpcId")]
    rpc_id: &'a RawValue,
    error: Reason,
}

#[derive(Serialize)]
struct Reason {
    code: &'static str,
    message: String,
}

/// Input of `echo`, which answers with it.
#[derive(Debug, Deserialize, Serialize)]
pub struct Echo<'a> {
    /// Up to [`TEXT`] characters.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// Any number.
    pub n: i64,
}

/// `room.join` and `room.leave`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Room<'a> {
    /// 1 to [`NAME`] characters.
    #[serde(borrow)]
    pub room_id: Cow<'a, str>,
}

/// `room.say`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Say<'a> {
    /// 1 to [`NAME`] characters.
    #[serde(borrow)]
    pub room_id: Cow<'a, str>,
    /// Up to [`TEXT`] characters.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// `room.said`, to every member.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Said<'a> {
    /// The room.
    pub room_id: &'a str,
    /// The text of `room.say`.
    pub text: &'a str,
    /// The sender's connect header `user`.
    pub from: &'a str,
}

/// A validated frame as an action of the server. Answers and events are already encoded.
#[derive(Debug)]
pub enum Action {
    /// Send the answer, if the client wants one.
    Answer(Option<String>),
    /// Join a room, then answer.
    Join(String, Option<String>),
    /// Leave a room, then answer.
    Leave(String, Option<String>),
    /// Send an event to a room's members, then answer.
    Say {
        /// The room.
        room: String,
        /// The event's frame.
        event: String,
        /// The answer's frame.
        answer: Option<String>,
    },
}

/// Parses a frame of the base protocol.
#[must_use]
pub fn read(frame: &str, user: &str) -> Action {
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(frame) else {
        return Action::Answer(None);
    };
    let rpc_id = envelope.rpc_id.filter(|id| !matches!(id.get(), "null" | "\"\""));
    act(&envelope, rpc_id, user).unwrap_or_else(|reason| {
        Action::Answer(rpc_id.and_then(|rpc_id| {
            let refusal = Refusal {
                kind: "__rpc_err",
                rpc_id,
                error: reason,
            };
            serde_json::to_string(&refusal).ok()
        }))
    })
}

fn act(envelope: &Envelope<'_>, rpc_id: Option<&RawValue>, user: &str) -> Result<Action, Reason> {
    let payload = envelope.payload.map_or("null", RawValue::get);
    match &*envelope.kind {
        "echo" => {
            let echo: Echo<'_> = parse(payload)?;
            at_most(&echo.text, TEXT)?;
            Ok(Action::Answer(answer(rpc_id, Some(echo))))
        }
        "room.join" => Ok(Action::Join(room(payload)?, answer(rpc_id, None::<()>))),
        "room.leave" => Ok(Action::Leave(room(payload)?, answer(rpc_id, None::<()>))),
        "room.say" => {
            let say: Say<'_> = parse(payload)?;
            name(&say.room_id)?;
            at_most(&say.text, TEXT)?;
            let payload = Said {
                room_id: &say.room_id,
                text: &say.text,
                from: user,
            };
            let event = Event {
                kind: "room.said",
                payload,
            };
            let event = serde_json::to_string(&event).map_err(|error| bad(error.to_string()))?;
            Ok(Action::Say {
                event,
                answer: answer(rpc_id, None::<()>),
                room: say.room_id.into_owned(),
            })
        }
        kind => Err(Reason {
            code: "NOT_FOUND",
            message: format!("no route {kind}"),
        }),
    }
}

fn answer<T: Serialize>(rpc_id: Option<&RawValue>, payload: Option<T>) -> Option<String> {
    let answer = Answer {
        kind: "__rpc_res",
        payload,
        rpc_id: rpc_id?,
    };
    serde_json::to_string(&answer).ok()
}

fn parse<'a, T: Deserialize<'a>>(payload: &'a str) -> Result<T, Reason> {
    serde_json::from_str(payload).map_err(|error| bad(error.to_string()))
}

fn room(payload: &str) -> Result<String, Reason> {
    let Room { room_id } = parse(payload)?;
    name(&room_id)?;
    Ok(room_id.into_owned())
}

fn name(name: &str) -> Result<(), Reason> {
    if name.is_empty() {
        return Err(bad("roomId: at least 1 character, got 0".to_owned()));
    }
    at_most(name, NAME)
}

fn at_most(text: &str, limit: usize) -> Result<(), Reason> {
    if text.len() > limit && text.chars().count() > limit {
        return Err(bad(format!("at most {limit} characters")));
    }
    Ok(())
}

fn bad(message: String) -> Reason {
    Reason {
        code: "BAD_REQUEST",
        message,
    }
}

/// Returns the query parameter `user`, the client's name.
#[must_use]
pub fn user(query: Option<&str>) -> String {
    query
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("user="))
        .unwrap_or("nobody")
        .to_owned()
}

/// Listens on `ADDR`.
///
/// # Errors
///
/// If `ADDR` is not an address, or the port is in use.
pub fn listen() -> io::Result<TcpListener> {
    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr.parse().map_err(io::Error::other)?)?;
    socket.listen(4_096)
}

#[cfg(test)]
mod tests {
    use super::{Action, read};

    #[test]
    fn an_echo_is_answered_by_its_input() {
        let frame = r#"{"type":"echo","payload":{"text":"hi","n":1},"rpcId":7}"#;
        let Action::Answer(Some(answer)) = read(frame, "ann") else {
            panic!()
        };
        assert_eq!(
            answer,
            r#"{"type":"__rpc_res","payload":{"text":"hi","n":1},"rpcId":7}"#
        );
    }

    #[test]
    fn an_event_names_its_sender() {
        let frame = r#"{"type":"room.say","payload":{"roomId":"r","text":"hi"}}"#;
        let Action::Say { event, answer, room } = read(frame, "ann") else {
            panic!()
        };
        assert_eq!(
            event,
            r#"{"type":"room.said","payload":{"roomId":"r","text":"hi","from":"ann"}}"#
        );
        assert_eq!((room.as_str(), answer), ("r", None));
    }

    #[test]
    fn a_room_without_a_name_is_refused() {
        let frame = r#"{"type":"room.join","payload":{"roomId":""},"rpcId":"a"}"#;
        let Action::Answer(Some(answer)) = read(frame, "ann") else {
            panic!()
        };
        assert!(answer.starts_with(r#"{"type":"__rpc_err","rpcId":"a","error":{"code":"BAD_REQUEST""#));
    }
}
