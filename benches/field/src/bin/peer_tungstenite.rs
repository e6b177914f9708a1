//! The baseline: the same app directly on tokio-tungstenite, optimised by hand. A task per connection reads all
//! available frames, writes the answers and the rooms' events, and flushes once.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::poll_fn,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{Sink, Stream, task::AtomicWaker};
use indexmap::IndexMap;
use parking_lot::{Mutex, RwLock};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Error, Message, Utf8Bytes,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::WebSocketConfig,
    },
};
use zocket_field::{Action, listen, read, user};

/// Limit of a member's queue, in messages and bytes. A member beyond it is closed.
const BACKLOG: (usize, usize) = (65_536, 8 << 20);

/// Events of rooms that a connection has not taken yet.
#[derive(Default)]
struct Mailbox {
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Queue {
    messages: Vec<Utf8Bytes>,
    bytes: usize,
    over: bool,
}

impl Mailbox {
    fn push(&self, message: Utf8Bytes) {
        let mut queue = self.queue.lock();
        let first = queue.messages.is_empty();
        queue.bytes += message.len();
        if queue.messages.len() >= BACKLOG.0 || queue.bytes > BACKLOG.1 {
            queue.over = true;
        } else {
            queue.messages.push(message);
        }
        drop(queue);
        // A connection with a non-empty queue was already woken.
        if first {
            self.waker.wake();
        }
    }

    /// Moves the queue into `into`. Returns false if it has exceeded its limit.
    fn drain(&self, into: &mut VecDeque<Message>) -> bool {
        let mut queue = self.queue.lock();
        queue.bytes = 0;
        let messages = mem::take(&mut queue.messages);
        let over = queue.over;
        drop(queue);
        into.extend(messages.into_iter().map(Message::Text));
        !over
    }
}

type Members = Mutex<IndexMap<u64, Arc<Mailbox>>>;

#[derive(Default)]
struct Rooms {
    rooms: RwLock<HashMap<String, Arc<Members>>>,
}

impl Rooms {
    fn join(&self, room: &str, id: u64, mailbox: &Arc<Mailbox>) {
        let mut rooms = self.rooms.write();
        if !rooms.contains_key(room) {
            rooms.insert(room.to_owned(), Arc::default());
        }
        rooms[room].lock().insert(id, mailbox.clone());
    }

    fn leave(&self, room: &str, id: u64) {
        let mut rooms = self.rooms.write();
        let empty = rooms.get(room).is_some_and(|members| {
            let mut members = members.lock();
            members.swap_remove(&id);
            members.is_empty()
        });
        if empty {
            rooms.remove(room);
        }
    }

    fn say(&self, room: &str, event: String) {
        let Some(members) = self.rooms.read().get(room).cloned() else {
            return;
        };
        let event = Utf8Bytes::from(event);
        for mailbox in members.lock().values() {
            mailbox.push(event.clone());
        }
    }
}

struct Connection {
    id: u64,
    user: String,
    socket: WebSocketStream<TcpStream>,
    mailbox: Arc<Mailbox>,
    rooms: Arc<Rooms>,
    joined: HashSet<String>,
    out: VecDeque<Message>,
    unflushed: bool,
}

impl Connection {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.mailbox.waker.register(cx.waker());
        loop {
            self.write(cx)?;
            // A client with unwritten output is not read, which bounds its queue.
            let Poll::Ready(message) = (if self.out.is_empty() {
                Pin::new(&mut self.socket).poll_next(cx)
            } else {
                Poll::Pending
            }) else {
                if !self.mailbox.drain(&mut self.out) {
                    return Poll::Ready(Ok(()));
                }
                self.write(cx)?;
                if self.unflushed && self.out.is_empty() {
                    // A pending flush is continued by the next poll.
                    if Pin::new(&mut self.socket).poll_flush(cx)?.is_ready() {
                        self.unflushed = false;
                    }
                }
                return Poll::Pending;
            };
            match message.transpose()? {
                Some(Message::Text(text)) => self.handle(&text),
                Some(Message::Binary(bytes)) => {
                    if let Ok(text) = str::from_utf8(&bytes) {
                        self.handle(text);
                    }
                }
                // The library answers a ping at the next flush.
                Some(_) => self.unflushed = true,
                None => return Poll::Ready(Ok(())),
            }
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while !self.out.is_empty() {
            if Pin::new(&mut self.socket).poll_ready(cx)?.is_pending() {
                break;
            }
            if let Some(message) = self.out.pop_front() {
                Pin::new(&mut self.socket).start_send(message)?;
                self.unflushed = true;
            }
        }
        Ok(())
    }

    fn handle(&mut self, text: &str) {
        let answer = match read(text, &self.user) {
            Action::Answer(answer) => answer,
            Action::Join(room, answer) => {
                self.rooms.join(&room, self.id, &self.mailbox);
                self.joined.insert(room);
                answer
            }
            Action::Leave(room, answer) => {
                if self.joined.remove(&room) {
                    self.rooms.leave(&room, self.id);
                }
                answer
            }
            Action::Say { room, event, answer } => {
                self.rooms.say(&room, event);
                // A message's events precede its answer.
                if answer.is_some() {
                    self.mailbox.drain(&mut self.out);
                }
                answer
            }
        };
        self.out.extend(answer.map(Message::text));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for room in &self.joined {
            self.rooms.leave(room, self.id);
        }
    }
}

/// Small buffers: the read buffer is allocated at once, and the write buffer grows on demand.
fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(1_024)
        .write_buffer_size(64 << 10)
        .max_write_buffer_size(16 << 20)
        .max_message_size(Some(1 << 20))
}

async fn serve(stream: TcpStream, id: u64, rooms: Arc<Rooms>) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let mut name = String::new();
    #[expect(
        clippy::result_large_err,
        reason = "the library's callback returns a whole response"
    )]
    let callback = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        name = user(request.uri().query());
        Ok(response)
    };
    let shake = Box::pin(accept_hdr_async_with_config(stream, callback, Some(config())));
    let Ok(socket) = tokio::time::timeout(Duration::from_secs(30), shake).await else {
        return Ok(());
    };
    let mut connection = Connection {
        id,
        user: String::new(),
        socket: socket?,
        mailbox: Arc::default(),
        rooms,
        joined: HashSet::new(),
        out: VecDeque::new(),
        unflushed: false,
    };
    connection.user = name;
    poll_fn(|cx| {
        let done = ready!(connection.poll(cx));
        Poll::Ready(done)
    })
    .await
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = listen()?;
    let rooms = Arc::<Rooms>::default();
    let mut id = 0;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        id += 1;
        tokio::spawn(serve(stream, id, rooms.clone()));
    }
}
