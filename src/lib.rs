//! Zocket: a typed WebSocket message framework built as a tower middleware stack.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod app;
mod connection;
mod on_connect;
mod procedure;
mod route;
mod router;
mod upgrade;

pub use zocket_layers::{
    self as layers, ClientId, Close, Code, Connection, Context, Emitter, Error, Event, Hub, Input, Issue,
    Limits, LocalHub, Message, Next, Outgoing, RawPayload, Reply, Rooms, Segment, middleware::from_fn,
};

pub use self::{
    app::{Builder, Zocket},
    on_connect::{NoHeaders, OnConnect, OnConnectWith},
    procedure::{Endpoint, Procedure, With, WithInput},
    route::Route,
    router::{Router, RouterError, RouterService},
    upgrade::{Body, UpgradeFuture, UpgradeService},
};
