//! Refused handshakes of clients that offer `zocket.refusals`: a WebSocket with one `__error`, and a Close.

use std::time::Duration;

use common::raw::handshake;
use serde_json::json;
use tokio::sync::Semaphore;
use zocket::{Code, Error, Origins};

use super::*;

mod bounds;
mod telling;

const OFFER: (&str, &str) = ("sec-websocket-protocol", "zocket.v1.json, zocket.refusals");

#[derive(Deserialize, JsonSchema, Validate)]
struct Wish {
    /// Code of the refusal. `WAIT` waits for the gate.
    #[garde(length(max = 30))]
    code: String,
    #[garde(range(max = 9))]
    seat: Option<u8>,
}

#[derive(Clone)]
struct World {
    gate: Arc<Semaphore>,
    runs: Arc<AtomicUsize>,
    messages: Arc<AtomicUsize>,
}

impl World {
    fn new() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(0)),
            runs: Runs::default(),
            messages: Runs::default(),
        }
    }
}

async fn connect(world: World, wish: Wish, _: ClientId) -> Result<World, Error> {
    world.runs.fetch_add(1, Ordering::SeqCst);
    match &*wish.code {
        "NONE" => Ok(world),
        "WAIT" => {
            let _permit = world.gate.acquire().await;
            Err(Error::unauthorized("log in first"))
        }
        "PANIC" => panic!("hunter2"),
        "TOO_MANY_REQUESTS" => Err(Error::too_many_requests(Duration::from_millis(1_500))),
        "INTERNAL_SERVER_ERROR" => Err(Error::internal("hunter2")),
        "ROOM_FULL" => Err(Error::new(Code::app("ROOM_FULL"), "no seats are left")),
        code => {
            let known = Code::PROTOCOL.into_iter().find(|known| known.as_str() == code);
            Err(Error::new(known.unwrap(), "as you wish"))
        }
    }
}

fn refusing(world: &World) -> (Zocket<World>, UpgradeService) {
    let zo = Zocket::builder()
        .on_connect_with(world.clone(), connect)
        .origins(Origins::list(["https://chat.example"]).unwrap())
        .build();
    let count = zo.message().handle(async |cx: Context<World>| {
        cx.messages.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let service = zo.serve(zo.router().incoming("count", count));
    (zo, service)
}

async fn site() -> Server {
    serve(refusing(&World::new()).1).await
}

/// Returns the payload of the `__error` and the Close that a refused client receives. Nothing else comes.
async fn told(server: &Server, query: &str, fields: &[(&str, &str)]) -> (Value, (u16, String)) {
    let fields: Vec<_> = fields.iter().copied().chain([OFFER]).collect();
    let mut client = server.try_connect(query, &fields).await.expect("a WebSocket");
    let frame = client.next().await;
    let error = frame["payload"].clone();
    assert_eq!(frame, json!({ "type": "__error", "payload": error }));
    (error, client.closed().await)
}

/// Returns a request that is refused with 401.
fn unauthorized() -> String {
    let fields = format!("{}: {}\r\n", OFFER.0, OFFER.1);
    handshake(&fields).replacen("GET / ", "GET /?code=UNAUTHORIZED ", 1)
}
