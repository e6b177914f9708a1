use std::{future::Future, pin::Pin};

use http::request::Parts;
use zocket_layers::{ClientId, Context, Error, Issue};

use crate::contract::SchemaOf;

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type Connect<C> = Box<dyn Fn(Parts, ClientId) -> BoxFuture<Result<C, Rejection>> + Send + Sync>;
type Open<C> = Box<dyn Fn(Context<C>) -> BoxFuture<Result<(), Error>> + Send + Sync>;
type Disconnect<C> = Box<dyn Fn(Context<C>) -> BoxFuture<()> + Send + Sync>;

/// The app's functions that run when a client comes and goes.
pub(crate) struct Lifecycle<C> {
    /// The schema of the headers that `connect` reads.
    pub(crate) headers: SchemaOf,
    pub(crate) connect: Connect<C>,
    pub(crate) open: Option<Open<C>>,
    pub(crate) disconnect: Option<Disconnect<C>>,
}

/// A client that is not let in, and the reason.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// Its headers are not those that the app declares.
    Headers(Vec<Issue>),
    /// The app refused.
    Refused(Error),
}
