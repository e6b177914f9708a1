//! Authentication: a token among the connect headers, or a cookie from our own pages. A client refreshes its token over
//! the open connection, which closes when the token has expired. `cargo run --example auth`.

use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, error::Error, time::Duration};

use axum_extra::extract::CookieJar;
use http::request::Parts;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::{sync::watch, time::sleep};
use zocket::{ClientId, Context, Error as Refusal, Origins, Zocket, server};

/// Connect headers. Browsers can't set header fields on a WebSocket, so they use the query parameter of the same name.
#[derive(Deserialize, JsonSchema, garde::Validate)]
struct Headers {
    #[garde(length(max = 200))]
    token: Option<String>,
}

/// `name.expiry`, in seconds since 1970. A real token is signed, as a JWT is, which is beyond this example.
#[derive(Clone)]
struct Token {
    name: String,
    expires: u64,
}

impl Token {
    fn read(text: &str) -> Result<Self, Refusal> {
        let invalid = || Refusal::unauthorized("no valid token");
        let (name, expires) = text.rsplit_once('.').ok_or_else(invalid)?;
        let (name, expires) = (name.to_owned(), expires.parse().map_err(|_| invalid())?);
        let token = Self { name, expires };
        match token.left() {
            Some(_) => Ok(token),
            None => Err(Refusal::unauthorized("the token has expired")),
        }
    }

    fn left(&self) -> Option<Duration> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_secs(self.expires).checked_sub(now)
    }
}

struct User {
    name: String,
    token: watch::Sender<Token>,
}

async fn let_in(headers: Headers, _: ClientId, request: Parts) -> Result<User, Refusal> {
    let given = headers.token.as_deref();
    let token = given.map_or_else(|| by_cookie(&request), Token::read)?;
    let name = token.name.clone();
    Ok(User {
        name,
        token: watch::Sender::new(token),
    })
}

/// Authenticates by cookie. Browsers send cookies from the pages of every origin, so the app allows only its own.
fn by_cookie(request: &Parts) -> Result<Token, Refusal> {
    let cookies = CookieJar::from_headers(&request.headers);
    let Some(token) = cookies.get("token") else {
        return Err(Refusal::unauthorized("log in first"));
    };
    Token::read(token.value())
}

/// Closes the connection when its token has expired without a refresh.
async fn watch_over(cx: Context<User>) -> Result<(), Refusal> {
    tokio::spawn(async move {
        let mut tokens = cx.token.subscribe();
        loop {
            let left = tokens.borrow_and_update().left().unwrap_or_default();
            tokio::select! {
                () = sleep(left) => return cx.close(4401, "token-expired"),
                _ = tokens.changed() => {}
                () = cx.closed() => return,
            }
        }
    });
    Ok(())
}

/// Replaces the token by a newer one of the same user.
async fn refresh(cx: Context<User>, newer: Headers) -> Result<(), Refusal> {
    let token = Token::read(newer.token.as_deref().unwrap_or_default())?;
    if token.name != cx.name {
        return Err(Refusal::forbidden("someone else's token"));
    }
    cx.token.send_replace(token);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let zo = Zocket::builder()
        .on_connect(let_in)
        .on_open(watch_over)
        .origins(Origins::same())
        .build();
    let whoami = zo.message().handle(async |cx: Context<User>| Ok(cx.name.clone()));
    let router = zo
        .router()
        .incoming("auth.refresh", zo.message().handle(refresh))
        .incoming("whoami", whoami);

    let app = axum::Router::new().route_service("/", zo.serve(router));
    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = server::listen(addr).await?;
    tracing::info!("listening on {}", listener.local_addr()?);
    server::serve(listener, app).await;
    Ok(())
}
