//! socketioxide with its defaults, behind hyper: the same events, with acknowledgements as answers of `echo`.

use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde::{Deserialize, Serialize};
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef},
};
use zocket_field::{NAME, TEXT, listen, user};

#[derive(Deserialize, Serialize)]
struct Echo {
    text: String,
    n: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Room {
    room_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Say {
    room_id: String,
    text: String,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    room_id: String,
    text: String,
    from: String,
}

#[derive(Clone)]
struct User(String);

fn fits(text: &str, limit: usize) -> bool {
    text.len() <= limit || text.chars().count() <= limit
}

fn named(room: &str) -> bool {
    !room.is_empty() && fits(room, NAME)
}

async fn connected(socket: SocketRef) {
    socket
        .extensions
        .insert(User(user(socket.req_parts().uri.query())));
    socket.on("echo", async |Data::<Echo>(echo), ack: AckSender| {
        if fits(&echo.text, TEXT) {
            let _ = ack.send(&echo);
        }
    });
    socket.on(
        "room.join",
        async |socket: SocketRef, Data::<Room>(room), ack: AckSender| {
            if named(&room.room_id) {
                socket.join(room.room_id);
                let _ = ack.send(&());
            }
        },
    );
    socket.on(
        "room.leave",
        async |socket: SocketRef, Data::<Room>(room), ack: AckSender| {
            if named(&room.room_id) {
                socket.leave(room.room_id);
                let _ = ack.send(&());
            }
        },
    );
    socket.on(
        "room.say",
        async |socket: SocketRef, io: SocketIo, Data::<Say>(say)| {
            if !named(&say.room_id) || !fits(&say.text, TEXT) {
                return;
            }
            let from = socket
                .extensions
                .get::<User>()
                .map(|user| user.0)
                .unwrap_or_default();
            let said = Said {
                room_id: say.room_id.clone(),
                text: say.text,
                from,
            };
            let _ = io.within(say.room_id).emit("room.said", &said).await;
        },
    );
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (service, io) = SocketIo::new_svc();
    io.ns("/", connected);
    let listener = listen()?;
    let http = http1::Builder::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        stream.set_nodelay(true)?;
        let connection =
            http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service.clone()));
        tokio::spawn(connection.with_upgrades());
    }
}
