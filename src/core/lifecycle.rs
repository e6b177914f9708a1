use std::{future::Future, pin::Pin};

use http::request::Parts;
use zocket_layers::{ClientId, Context, Error, Issue};

use super::reason::Reason;
use crate::{contract::SchemaOf, upgrade::origin::AmbientCredential};

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type Connect<C> = Box<dyn Fn(Parts, ClientId) -> BoxFuture<Result<C, Rejection>> + Send + Sync>;
type Open<C> = Box<dyn Fn(Context<C>) -> BoxFuture<Result<(), Error>> + Send + Sync>;
/// Returns a hash of the headers that a client is recognized by. With `true`, it is the same on each node of an app.
pub(crate) type Fingerprint = Box<dyn Fn(&Parts, bool) -> u64 + Send + Sync>;
pub(crate) type Resume<C> =
    Box<dyn Fn(Parts, Context<C>) -> BoxFuture<Result<bool, Rejection>> + Send + Sync>;
pub(crate) type Disconnect<C> = Box<dyn Fn(Context<C>, Reason) -> BoxFuture<()> + Send + Sync>;

/// The app's callbacks `on_connect`, `on_open`, `on_resume` and `on_disconnect`, for the start and the end of a session.
pub(crate) struct Lifecycle<C> {
    /// The schema of the headers that `connect` reads.
    pub(crate) headers: SchemaOf,
    pub(crate) connect: Connect<C>,
    /// A browser's credential that `connect` can read.
    pub(crate) credential: Option<AmbientCredential>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) open: Option<Open<C>>,
    pub(crate) resume: Option<Resume<C>>,
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
