//! The router: declares an app's messages, and dispatches each message to its procedure.

mod check;
mod contract;
mod receive;
pub(crate) mod refusals;
mod reserved;
pub(crate) mod route;
mod service;

use std::{
    any::{TypeId, type_name},
    fmt,
    marker::PhantomData,
    panic::Location,
    sync::Arc,
};

use schemars::SchemaGenerator;
use tower::{BoxError, Layer, Service};
use zocket_layers::{
    Delivery, FanoutLayer, Hub, Incoming, InputIs, Message, Outgoing, Reply, protocol::words,
    service::ServedByClones,
};

use self::service::Entry;
pub(crate) use self::{check::CheckedRouter, refusals::DeclaredRefusal};
pub use self::{check::RouterError, receive::AnswerIs, route::Route, service::RouterService};
use crate::{
    contract::SchemaOf,
    procedure::{Procedure, Traits},
};

/// Declarations of the messages that an app receives and sends, nested by module. Made by
/// [`Zocket::router`](crate::Zocket::router), served by [`Zocket::serve`](crate::Zocket::serve), which refuses a
/// router that is invalid.
pub struct Router<C> {
    hub: Arc<dyn Hub>,
    headers: SchemaOf,
    incoming: Vec<RouteDeclaration>,
    outgoing: Vec<Declaration>,
    nests: Vec<(String, SourceLocation)>,
    layers: Vec<RouteLayer>,
    problems: Vec<String>,
    context: PhantomData<fn(C)>,
}

/// Location of a declaration in the source, for error messages.
type SourceLocation = &'static Location<'static>;
/// Function that puts a layer around a route.
type RouteLayer = Box<dyn Fn(Route, &[DeclaredRefusal]) -> Route + Send + Sync>;

struct RouteDeclaration {
    /// Full path, or the path within the router that declares it.
    path: String,
    /// For a full path: path of the nests that the declaration came through. The path must begin with it.
    prefix: Option<String>,
    location: SourceLocation,
    entry: Entry,
    traits: Traits,
}

struct Declaration {
    event_type: &'static str,
    rust_type: (&'static str, TypeId),
    location: SourceLocation,
    schema: SchemaOf,
    delivery: Delivery,
    /// Path of the nests that the declaration came through. The event's name must begin with it.
    prefix: String,
}

impl<C> Router<C> {
    pub(crate) fn new(hub: Arc<dyn Hub>, headers: SchemaOf) -> Self {
        Self {
            hub,
            headers,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            nests: Vec::new(),
            layers: Vec::new(),
            problems: Vec::new(),
            context: PhantomData,
        }
    }

    /// Declares a message that the app sends. An undeclared message can't be sent.
    #[must_use]
    #[track_caller]
    pub fn outgoing<O: Outgoing + 'static>(mut self) -> Self {
        let location = Location::caller();
        self.check_path("outgoing", O::TYPE, location);
        let rust_type = (type_name::<O>(), TypeId::of::<O>());
        self.outgoing.push(Declaration {
            event_type: O::TYPE,
            rust_type,
            location,
            schema: SchemaGenerator::subschema_for::<O>,
            delivery: O::DELIVERY,
            prefix: String::new(),
        });
        self
    }

    /// Declares a message that the app receives, by its dotted path, and the procedure that handles it. The path is
    /// relative to the nests around this router: `bid` in a router that is nested at `lot` is the route `lot.bid`, and
    /// `lot.bid` is `lot.lot.bid`. The full name of a type, [`Incoming::TYPE`], belongs into [`receive`](Self::receive).
    #[must_use]
    #[track_caller]
    pub fn incoming<S, I, A>(self, path: &str, procedure: Procedure<C, S, I, A>) -> Self
    where
        S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        self.declare(path, None, procedure, Location::caller())
    }

    fn declare<S, I, A>(
        mut self,
        path: &str,
        prefix: Option<String>,
        procedure: Procedure<C, S, I, A>,
        location: SourceLocation,
    ) -> Self
    where
        S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        self.check_path("route", path, location);
        let Procedure { service, traits, .. } = procedure;
        let fanout = FanoutLayer::new();
        let fanout = if traits.atomic { fanout.atomic() } else { fanout };
        let route = Route::of_procedure(fanout.layer(service), &traits.refusals);
        let entry = Entry {
            route,
            concurrent: traits.concurrent,
        };
        self.incoming.push(RouteDeclaration {
            path: path.to_owned(),
            prefix,
            location,
            entry,
            traits,
        });
        self
    }

    /// Declares a message that the app receives as a type, and the procedure that handles it: its input is `M`, and its
    /// answer [`M::Answer`](Incoming::Answer). [`M::TYPE`](Incoming::TYPE) is the full path, which has to begin with the
    /// prefixes of the nests around this router. The compiler infers `M` from the procedure.
    ///
    /// ```
    /// # use garde::Validate;
    /// # use schemars::JsonSchema;
    /// # use serde::{Deserialize, Serialize};
    /// use zocket::{Context, Error, Incoming, Zocket};
    ///
    /// #[derive(Serialize, Deserialize, JsonSchema, Validate)]
    /// struct Bid {
    ///     #[garde(range(min = 1))]
    ///     cents: u64,
    /// }
    ///
    /// impl Incoming for Bid {
    ///     const TYPE: &'static str = "lot.bid";
    ///     type Answer = u64;
    /// }
    ///
    /// async fn bid(_: Context<()>, bid: Bid) -> Result<u64, Error> {
    ///     Ok(bid.cents)
    /// }
    ///
    /// let zo = Zocket::builder().build();
    /// let lots = zo.router().receive::<Bid>(zo.message().handle(bid));
    /// let router = zo.router().nest("lot", lots);
    /// # drop(zo.serve(router));
    /// ```
    ///
    /// A procedure without input receives a message without members, which needs no more than this:
    ///
    /// ```
    /// # use serde::Serialize;
    /// # use zocket::{Context, Error, Incoming, Zocket};
    /// /// Serialize: only for Rust clients.
    /// #[derive(Serialize)]
    /// struct Close;
    ///
    /// impl Incoming for Close {
    ///     const TYPE: &'static str = "lot.close";
    ///     type Answer = ();
    /// }
    ///
    /// async fn close(_: Context<()>) -> Result<(), Error> {
    ///     Ok(())
    /// }
    ///
    /// let zo = Zocket::builder().build();
    /// let router = zo.router().receive::<Close>(zo.message().handle(close));
    /// # drop(zo.serve(router));
    /// ```
    ///
    /// With members it does not compile. `cargo build` and `cargo test` report it, `cargo check` does not:
    ///
    /// ```compile_fail
    /// # use serde::Serialize;
    /// # use zocket::{Context, Error, Incoming, Zocket};
    /// #[derive(Serialize)]
    /// struct Close {
    ///     reason: String,
    /// }
    /// #
    /// # impl Incoming for Close {
    /// #     const TYPE: &'static str = "lot.close";
    /// #     type Answer = ();
    /// # }
    /// #
    /// # async fn close(_: Context<()>) -> Result<(), Error> {
    /// #     Ok(())
    /// # }
    /// #
    /// # let zo = Zocket::builder().build();
    /// let router = zo.router().receive::<Close>(zo.message().handle(close));
    /// # drop(zo.serve(router));
    /// ```
    #[must_use]
    #[track_caller]
    pub fn receive<M: Incoming>(
        self,
        procedure: Procedure<
            C,
            impl Service<Message, Response = Reply, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
            impl InputIs<M>,
            impl AnswerIs<M::Answer>,
        >,
    ) -> Self {
        ignores_nothing::<M, _, _, _, _>(&procedure);
        self.declare(M::TYPE, Some(String::new()), procedure, Location::caller())
    }

    /// Adds a module's router: its routes under `prefix`, its outgoing messages, whose full names must begin with
    /// `prefix`, and its layers around its own routes.
    #[must_use]
    #[track_caller]
    pub fn nest(mut self, prefix: &str, router: Self) -> Self {
        let location = Location::caller();
        self.check_path("nest", prefix, location);
        if !router.uses_hub(&self.hub) {
            self.problems.push(format!(
                "nest `{prefix}` ({location}) has a router of another app: create it with the `router()` of this app"
            ));
        }
        let router = router.apply_layers();
        let within = |path: String| {
            if path.is_empty() {
                prefix.to_owned()
            } else {
                format!("{prefix}.{path}")
            }
        };
        self.incoming
            .extend(router.incoming.into_iter().map(|route| match route.prefix {
                Some(prefix) => RouteDeclaration {
                    prefix: Some(within(prefix)),
                    ..route
                },
                None => RouteDeclaration {
                    path: within(route.path),
                    ..route
                },
            }));
        self.outgoing
            .extend(router.outgoing.into_iter().map(|declaration| Declaration {
                prefix: within(declaration.prefix),
                ..declaration
            }));
        self.nests.push((prefix.to_owned(), location));
        self.nests.extend(
            router
                .nests
                .into_iter()
                .map(|(path, location)| (within(path), location)),
        );
        self.problems.extend(router.problems);
        self
    }

    /// Puts a tower layer around each route of this router, outside of its fan-out. The layer's requests are raw
    /// [`Message`]s, its responses [`Reply`]s. Of several layers, the first is the outermost.
    ///
    /// A layer may refuse with any code. Under a code that the procedure declares, the data has to be the declared one:
    /// any other refusal is answered with INTERNAL_SERVER_ERROR, and logged.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Send + Sync + 'static,
        L::Service: ServedByClones<Message, Response = Reply> + Send + Sync + 'static,
        <L::Service as Service<Message>>::Error: Into<BoxError>,
        <L::Service as Service<Message>>::Future: Send,
    {
        self.layers.push(Box::new(move |route, declared| {
            Route::of_layers(layer.layer(route), declared)
        }));
        self
    }

    /// Returns the router as a tower service, for a stack composed by hand. [`Zocket::serve`](crate::Zocket::serve)
    /// makes the service of a whole app.
    ///
    /// # Errors
    /// All problems of a router that is invalid.
    pub fn into_service(self) -> Result<RouterService, RouterError> {
        self.build().map(|checked| checked.routes)
    }

    fn apply_layers(mut self) -> Self {
        // The layer that was added last is the innermost.
        for layer in std::mem::take(&mut self.layers).into_iter().rev() {
            for incoming in &mut self.incoming {
                incoming.entry.route = layer(incoming.entry.route.clone(), &incoming.traits.refusals);
            }
        }
        self
    }

    fn check_path(&mut self, what: &str, path: &str, location: SourceLocation) {
        if path.split('.').any(str::is_empty) {
            self.problems
                .push(format!("{what} `{path}` ({location}) has an empty segment"));
        }
        if path.starts_with(words::PREFIX) {
            self.problems.push(format!(
                "{what} `{path}` ({location}) begins with `__`, which is reserved for the protocol"
            ));
        }
    }
}

/// Fails to compile if the procedure ignores members of the message.
fn ignores_nothing<M, C, S, I: InputIs<M>, A>(_: &Procedure<C, S, I, A>) {
    const { I::IGNORES_NOTHING }
}

impl<C> fmt::Debug for Router<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let incoming = self
            .incoming
            .iter()
            .map(|incoming| &incoming.path)
            .collect::<Vec<_>>();
        let outgoing = self
            .outgoing
            .iter()
            .map(|declaration| declaration.event_type)
            .collect::<Vec<_>>();
        f.debug_struct("Router")
            .field("incoming", &incoming)
            .field("outgoing", &outgoing)
            .finish_non_exhaustive()
    }
}
