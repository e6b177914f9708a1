//! The router: an app's contract, and the way of a message to its procedure.

use std::{
    any::{TypeId, type_name},
    collections::HashMap,
    fmt,
    marker::PhantomData,
    panic::Location,
    sync::Arc,
    task::{Context as Task, Poll},
};

use schemars::SchemaGenerator;
use tower::{BoxError, Layer, Service};
use zocket_layers::{Code, Error, FanoutLayer, Hub, Message, Outgoing, Refusable, Reply};

use crate::{
    Endpoint,
    contract::{Contract, Direction, Gatherer, IncomingContract, OutgoingContract, SchemaOf},
    procedure::Traits,
    route::{Route, RouteFuture},
};

/// What an app receives and sends, nested by module. Made by [`Zocket::router`](crate::Zocket::router), served by
/// [`Zocket::serve`](crate::Zocket::serve), which refuses one that contradicts itself.
pub struct Router<C> {
    hub: Arc<dyn Hub>,
    headers: SchemaOf,
    incoming: Vec<Incoming>,
    outgoing: Vec<Declaration>,
    nests: Vec<(String, Place)>,
    layers: Vec<Wrap>,
    problems: Vec<String>,
    context: PhantomData<fn(C)>,
}

/// What generated clients have beside the routes, and what would make a promise of them.
const CLIENT_MEMBERS: [&str; 12] = [
    "on",
    "onOpen",
    "onClose",
    "onError",
    "onStatus",
    "close",
    "reconnect",
    "status",
    "lastError",
    "clientId",
    "constructor",
    "then",
];

/// Where something was declared.
type Place = &'static Location<'static>;
/// A layer for every route.
type Wrap = Box<dyn Fn(Route) -> Route + Send + Sync>;

struct Incoming {
    path: String,
    place: Place,
    entry: Entry,
    traits: Traits,
}

#[derive(Clone)]
struct Entry {
    route: Route,
    concurrent: bool,
}

struct Declaration {
    event_type: &'static str,
    rust_type: (&'static str, TypeId),
    place: Place,
    schema: SchemaOf,
    /// Of the nests that it came through.
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

    /// Declares a message that the app sends. What is not declared can't be sent.
    #[must_use]
    #[track_caller]
    pub fn outgoing<O: Outgoing + 'static>(mut self) -> Self {
        let place = Location::caller();
        self.check_path("outgoing", O::TYPE, place);
        let rust_type = (type_name::<O>(), TypeId::of::<O>());
        self.outgoing.push(Declaration {
            event_type: O::TYPE,
            rust_type,
            place,
            schema: SchemaGenerator::subschema_for::<O>,
            prefix: String::new(),
        });
        self
    }

    /// Declares a message that the app receives, by its dotted path, and what handles it.
    #[must_use]
    #[track_caller]
    pub fn incoming<S>(mut self, path: &str, endpoint: Endpoint<C, S>) -> Self
    where
        S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let place = Location::caller();
        self.check_path("route", path, place);
        let Endpoint { service, traits, .. } = endpoint;
        let fanout = FanoutLayer::new(self.hub.clone());
        let fanout = if traits.atomic { fanout.atomic() } else { fanout };
        let route = Route::with_codes(fanout.layer(service), traits.codes.clone());
        let entry = Entry {
            route,
            concurrent: traits.concurrent,
        };
        self.incoming.push(Incoming {
            path: path.to_owned(),
            place,
            entry,
            traits,
        });
        self
    }

    /// Takes in a module's router: its routes under `prefix`, its outgoing messages, whose full names must begin
    /// with `prefix`, and its layers around its own routes.
    #[must_use]
    #[track_caller]
    pub fn nest(mut self, prefix: &str, router: Self) -> Self {
        let place = Location::caller();
        self.check_path("nest", prefix, place);
        if !router.is_of(&self.hub) {
            self.problems.push(format!(
                "nest `{prefix}` ({place}) takes a router of another app, whose clients its effects would go to"
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
            .extend(router.incoming.into_iter().map(|incoming| Incoming {
                path: within(incoming.path),
                ..incoming
            }));
        self.outgoing
            .extend(router.outgoing.into_iter().map(|declaration| Declaration {
                prefix: within(declaration.prefix),
                ..declaration
            }));
        self.nests.push((prefix.to_owned(), place));
        self.nests.extend(
            router
                .nests
                .into_iter()
                .map(|(path, place)| (within(path), place)),
        );
        self.problems.extend(router.problems);
        self
    }

    /// Puts a tower layer around each route of this router, outside of its fan-out. Its requests are raw
    /// [`Message`]s, its responses [`Reply`]s. Of several, the first is the outermost.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Send + Sync + 'static,
        L::Service: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as Service<Message>>::Error: Into<BoxError>,
        <L::Service as Service<Message>>::Future: Send,
    {
        self.layers
            .push(Box::new(move |route| Route::new(layer.layer(route))));
        self
    }

    /// What the app receives and sends, with this router as its root: the types of its handlers, as data.
    #[must_use]
    pub fn contract(&self) -> Contract {
        let mut gatherer = Gatherer::default();
        let headers = gatherer.add("headers", Direction::Input, self.headers);
        let incoming: Vec<_> = self
            .incoming
            .iter()
            .map(|Incoming { path, traits, .. }| {
                let input = traits
                    .input
                    .map(|schema| gatherer.add(path, Direction::Input, schema));
                let output = traits
                    .output
                    .map(|schema| gatherer.add(path, Direction::Output, schema));
                (path, traits, input, output)
            })
            .collect();
        let outgoing: Vec<_> = self
            .outgoing
            .iter()
            .map(|event| {
                (
                    event.event_type,
                    gatherer.add(event.event_type, Direction::Output, event.schema),
                )
            })
            .collect();

        let (mut schemas, types) = gatherer.finish();
        let headers = schemas.take(headers);
        let incoming = incoming.into_iter().map(|(path, traits, input, output)| {
            let mut errors: Vec<_> = traits.codes.iter().map(|code| code.as_str().to_owned()).collect();
            errors.sort_unstable();
            errors.dedup();
            let doc = traits.doc.clone();
            let input = input.map(|input| schemas.take(input));
            let output = output.map(|output| schemas.take(output));
            (
                path.clone(),
                IncomingContract {
                    doc,
                    input,
                    output,
                    errors,
                },
            )
        });
        let incoming = incoming.collect();
        let outgoing = outgoing
            .into_iter()
            .map(|(name, payload)| {
                (
                    name.to_owned(),
                    OutgoingContract {
                        payload: schemas.take(payload),
                    },
                )
            })
            .collect();
        Contract {
            zocket: Contract::FORMAT,
            headers,
            incoming,
            outgoing,
            types,
        }
    }

    /// The router as a tower service of its own, for a stack made by hand; an app's is made by
    /// [`Zocket::serve`](crate::Zocket::serve).
    ///
    /// # Errors
    /// Everything in which the router contradicts itself.
    pub fn into_service(self) -> Result<RouterService, RouterError> {
        self.build().map(|(service, _)| service)
    }

    /// Whether its effects go to this hub.
    fn is_of(&self, hub: &Arc<dyn Hub>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.hub), Arc::as_ptr(hub))
    }

    /// [`build`](Self::build) for the app that has this hub.
    pub(crate) fn build_for(
        mut self,
        hub: &Arc<dyn Hub>,
    ) -> Result<(RouterService, Vec<&'static str>), RouterError> {
        if !self.is_of(hub) {
            let problem = "it was made by another app, whose clients its effects would go to";
            self.problems.push(problem.to_owned());
        }
        self.build()
    }

    /// Checks the contract.
    pub(crate) fn build(self) -> Result<(RouterService, Vec<&'static str>), RouterError> {
        let Self {
            incoming,
            outgoing,
            nests,
            mut problems,
            ..
        } = self.apply_layers();

        let mut routes = HashMap::<String, (Entry, Place)>::with_capacity(incoming.len());
        for Incoming {
            path, place, entry, ..
        } in incoming
        {
            if let Some((_, first)) = routes.get(&path) {
                problems.push(format!("route `{path}` is declared twice: {first} and {place}"));
            } else {
                routes.insert(path, (entry, place));
            }
        }
        // Clients nest routes as their names do: a name is a call, or holds others.
        for (path, (_, place)) in &routes {
            let first = path.split('.').next().unwrap_or(path);
            if CLIENT_MEMBERS.contains(&first) {
                problems.push(format!(
                    "route `{path}` ({place}) would hide the member `{first}` that clients have"
                ));
            }
            for (end, _) in path.match_indices('.') {
                // Told below, of the nest.
                let is_nest = nests.iter().any(|(nest, _)| *nest == path[..end]);
                if let Some((_, prefix)) = routes.get(&path[..end]).filter(|_| !is_nest) {
                    problems.push(format!(
                        "route `{}` ({prefix}) is a prefix of route `{path}` ({place})",
                        &path[..end]
                    ));
                }
            }
        }
        for (path, place) in nests {
            if let Some((_, route)) = routes.get(&path) {
                problems.push(format!(
                    "`{path}` is a route ({route}) and the prefix of a nest ({place})"
                ));
            }
        }
        let mut events = HashMap::<&str, Declaration>::with_capacity(outgoing.len());
        for declaration in outgoing {
            let Declaration {
                event_type,
                prefix,
                place,
                ..
            } = &declaration;
            if !prefix.is_empty()
                && event_type
                    .strip_prefix(prefix)
                    .is_none_or(|rest| !rest.starts_with('.'))
            {
                problems.push(format!(
                    "outgoing `{event_type}` ({place}) is not under the prefix `{prefix}` that its router is nested at"
                ));
            }
            if let Some(first) = events.get(declaration.event_type) {
                if first.rust_type != declaration.rust_type {
                    problems.push(format!(
                        "outgoing `{}` is declared as two types: `{}` ({}) and `{}` ({})",
                        declaration.event_type,
                        first.rust_type.0,
                        first.place,
                        declaration.rust_type.0,
                        declaration.place
                    ));
                }
            } else {
                events.insert(declaration.event_type, declaration);
            }
        }
        for (name, Declaration { place, .. }) in &events {
            for (end, _) in name.match_indices('.') {
                if let Some(prefix) = events.get(&name[..end]) {
                    problems.push(format!(
                        "outgoing `{}` ({}) is a prefix of outgoing `{name}` ({place})",
                        &name[..end],
                        prefix.place
                    ));
                }
            }
        }
        // The maps have no order of their own.
        problems.sort();
        if !problems.is_empty() {
            return Err(RouterError { problems });
        }
        let routes = routes
            .into_iter()
            .map(|(path, (entry, _))| (path, entry))
            .collect();
        Ok((
            RouterService {
                routes: Arc::new(routes),
            },
            events.into_keys().collect(),
        ))
    }

    fn apply_layers(mut self) -> Self {
        // The last written is the innermost.
        for layer in std::mem::take(&mut self.layers).into_iter().rev() {
            for incoming in &mut self.incoming {
                incoming.entry.route = layer(incoming.entry.route.clone());
            }
        }
        self
    }

    fn check_path(&mut self, what: &str, path: &str, place: Place) {
        if path.split('.').any(str::is_empty) {
            self.problems
                .push(format!("{what} `{path}` ({place}) has an empty segment"));
        }
        if path.starts_with("__") {
            self.problems.push(format!(
                "{what} `{path}` ({place}) begins with `__`, which is the protocol's own"
            ));
        }
    }
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

/// A router that contradicts itself. It displays every problem, with the places in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterError {
    problems: Vec<String>,
}

impl RouterError {
    /// Each problem in a sentence of its own.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for RouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the router contradicts itself")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n- {problem}"))
    }
}

impl std::error::Error for RouterError {}

/// Finds the route of each message. It is always ready: a route's readiness is awaited in the route's future.
#[derive(Clone)]
pub struct RouterService {
    routes: Arc<HashMap<String, Entry>>,
}

impl Service<Message> for RouterService {
    type Response = Reply;
    type Error = BoxError;
    type Future = Refusable<RouteFuture>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, message: Message) -> Self::Future {
        let Some(entry) = self.routes.get(&*message.parts().route) else {
            let route: String = message
                .parts()
                .route
                .chars()
                .take(100)
                .flat_map(char::escape_debug)
                .collect();
            return Refusable::refused(Error::new(Code::NOT_FOUND, format!("no route `{route}`")));
        };
        if entry.concurrent {
            message.parts().turn.give_up();
        }
        Refusable::inner(entry.route.run(message))
    }
}

impl fmt::Debug for RouterService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterService")
            .field("routes", &self.routes.len())
            .finish()
    }
}
