use std::{future::Future, pin::Pin};

use http::request::Parts;
use zocket_layers::{ClientId, Context, Error, Issue};

use super::reason::Reason;
use crate::{contract::SchemaOf, upgrade::origin::AmbientCredential};

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type Connect<C> = Box<dyn Fn(Parts, ClientId) -> BoxFuture<Result<C, Rejection>> + Send + Sync>;
type Open<C> = Box<dyn Fn(Context<C>) -> BoxFuture<Result<(), Error>> + Send + Sync>;
pub(crate) type Disconnect<C> = Box<dyn Fn(Context<C>, Reason) -> BoxFuture<()> + Send + Sync>;

/// The app's callbacks `on_connect`, `on_open` and `on_disconnect`, for the start and the end of a connection.
pub(crate) struct Lifecycle<C> {
    /// The schema of the headers that `connect` reads.
    pub(crate) headers: SchemaOf,
    pub(crate) connect: Connect<C>,
    /// A browser's credential that `connect` can read.
    pub(crate) credential: Option<AmbientCredential>,
    pub(crate) open: Option<Open<C>>,
    pub(crate) disconnect: Option<Disconnect<C>>,
}

/// The reason why a client is refused.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// The headers do not fit the type that the app declares.
    Headers(Vec<Issue>),
    /// `on_connect` returned this error, or panicked.
    Refused(Error),
}
