//! axum's `ws` in the form of its own chat example: a broadcast channel per room, a split socket, a task per direction.
//! Added to the example: rooms, and answers. A task per joined room forwards events to the writer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{
        RawQuery, State, WebSocketUpgrade,
        ws::{Message, Utf8Bytes, WebSocket},
    },
    routing::any,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc,
    },
    task::AbortHandle,
};
use zocket_field::{Action, listen, read, user};

type Rooms = Arc<Mutex<HashMap<String, broadcast::Sender<Utf8Bytes>>>>;

fn channel(rooms: &Rooms, room: &str) -> broadcast::Sender<Utf8Bytes> {
    let mut rooms = rooms.lock().expect("nobody panics with the lock");
    rooms
        .entry(room.to_owned())
        .or_insert_with(|| broadcast::channel(100).0)
        .clone()
}

fn left(rooms: &Rooms, room: &str, task: &AbortHandle) {
    task.abort();
    let mut rooms = rooms.lock().expect("nobody panics with the lock");
    // The aborted task may still hold its receiver. The room is then removed at the next leave.
    if rooms
        .get(room)
        .is_some_and(|channel| channel.receiver_count() == 0)
    {
        rooms.remove(room);
    }
}

async fn serve(socket: WebSocket, user: String, rooms: Rooms) {
    let (mut sink, mut stream) = socket.split();
    let (queue, mut waiting) = mpsc::channel::<Utf8Bytes>(100);
    let mut writer = tokio::spawn(async move {
        while let Some(text) = waiting.recv().await {
            if sink.send(Message::Text(text)).await.is_err() {
                break;
            }
        }
    });
    let mut joined = HashMap::<String, AbortHandle>::new();
    loop {
        let message = tokio::select! {
            message = stream.next() => message,
            _ = &mut writer => break,
        };
        let Some(Ok(message)) = message else { break };
        let Message::Text(text) = message else { continue };
        let answer = match read(&text, &user) {
            Action::Answer(answer) => answer,
            Action::Join(room, answer) => {
                let mut events = channel(&rooms, &room).subscribe();
                let queue = queue.clone();
                let task = tokio::spawn(async move {
                    loop {
                        let event = match events.recv().await {
                            Ok(event) => event,
                            Err(RecvError::Lagged(_)) => continue,
                            Err(RecvError::Closed) => break,
                        };
                        if queue.send(event).await.is_err() {
                            break;
                        }
                    }
                });
                if let Some(task) = joined.insert(room, task.abort_handle()) {
                    task.abort();
                }
                answer
            }
            Action::Leave(room, answer) => {
                if let Some(task) = joined.remove(&room) {
                    left(&rooms, &room, &task);
                }
                answer
            }
            Action::Say { room, event, answer } => {
                // The send fails if the room has no receiver, which is not an error.
                let _ = channel(&rooms, &room).send(event.into());
                answer
            }
        };
        if let Some(answer) = answer
            && queue.send(answer.into()).await.is_err()
        {
            break;
        }
    }
    writer.abort();
    for (room, task) in &joined {
        left(&rooms, room, task);
    }
}

async fn upgrade(
    State(rooms): State<Rooms>,
    RawQuery(query): RawQuery,
    socket: WebSocketUpgrade,
) -> axum::response::Response {
    let user = user(query.as_deref());
    socket.on_upgrade(move |socket| serve(socket, user, rooms))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/ws", any(upgrade))
        .with_state(Rooms::default());
    let listener = axum::serve::ListenerExt::tap_io(listen()?, |stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await
}
