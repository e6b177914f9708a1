//! The positions of a layer.

use tower::{
    BoxError, Layer, Service, ServiceExt,
    layer::{layer_fn, util::Identity},
    util::BoxCloneSyncServiceLayer,
};
use zocket::{
    Builder, ClientId, Context, Declared, Message, NoHeaders, Procedure, ProcedureBuilder, RawPayload, Reply,
    Route, Router, RouterService, UpgradeService, Zocket,
    layers::{BindEffects, HandlerService},
};

use super::site::{Ask, Begun, Handle, Outbid, SOLD, Script, handle};

/// Message type at a position.
pub type At<P> = Message<<P as Kind>::Payload, <P as Kind>::Context>;
/// Error type at a position.
pub type ErrorAt<P> = <<P as Kind>::Inner as Service<At<P>>>::Error;
/// Future type at a position.
pub type FutureAt<P> = <<P as Kind>::Inner as Service<At<P>>>::Future;

/// A service for messages of one kind, with the bounds of a route.
pub trait Handles<P, C>:
    Service<Message<P, C>, Response = Reply, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S, P, C> Handles<P, C> for S where
    S: Service<Message<P, C>, Response = Reply, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Types of the messages at a position.
pub trait Kind: 'static {
    type Payload: Clone + Send + Sync + 'static;
    type Context: BindEffects + Clone + Send + Sync + 'static;
    /// The service inside the layer.
    type Inner: Service<At<Self>, Response = Reply, Error: Into<BoxError> + Send + Sync, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static;

    fn word(payload: &Self::Payload) -> String;
    fn payload(word: &str) -> Self::Payload;
}

/// A position of a layer. The app has three routes: `part.it` and `part.also` have the layer at every position, and
/// `apart` has it only at the position of the whole app.
pub trait Position: Kind {
    /// True if the app has one instance of the layer, rather than one per route.
    const IS_WHOLE_APP: bool = false;
    /// True if effects are performed outside the layer.
    const IS_INSIDE: bool = false;

    /// Returns an app with the layer at this position.
    fn build(script: &Script, atomic: bool, layer: LayerAt<Self>) -> UpgradeService;
}

/// A boxed layer for a position.
pub type LayerAt<P> = BoxCloneSyncServiceLayer<<P as Kind>::Inner, At<P>, Reply, BoxError>;

/// Returns an app with a layer at a position, in passing mode.
pub fn serve<P, L, S>(script: &Script, layer: L) -> UpgradeService
where
    P: Position,
    L: Layer<P::Inner, Service = S> + Send + Sync + 'static,
    S: Handles<P::Payload, P::Context>,
{
    P::build(script, false, boxed::<P, L, S>(layer))
}

/// Like [`serve`], in atomic mode.
pub fn serve_atomic<P, L, S>(script: &Script, layer: L) -> UpgradeService
where
    P: Position,
    L: Layer<P::Inner, Service = S> + Send + Sync + 'static,
    S: Handles<P::Payload, P::Context>,
{
    P::build(script, true, boxed::<P, L, S>(layer))
}

fn boxed<P, L, S>(layer: L) -> LayerAt<P>
where
    P: Position,
    L: Layer<P::Inner, Service = S> + Send + Sync + 'static,
    S: Handles<P::Payload, P::Context>,
{
    BoxCloneSyncServiceLayer::new(layer_fn(move |inner| layer.layer(inner).map_err(Into::into)))
}

type App = Zocket<Script>;

fn builder(script: &Script) -> Builder<Script, Identity> {
    Zocket::builder().on_connect_with(
        script.clone(),
        async |script: Script, _: NoHeaders, _: ClientId| Ok(script),
    )
}

/// Returns the first steps of each procedure: its input, and its refusals.
fn declaring(zo: &App) -> ProcedureBuilder<Script, Script, Declared<Ask>, Identity> {
    let procedure = zo.message().input::<Ask>();
    procedure.refuses::<Outbid>().declare_code(SOLD)
}

fn procedure(zo: &App, atomic: bool) -> Procedure<Script, impl Handles<RawPayload, ()>, Ask, String> {
    let procedure = declaring(zo);
    let procedure = if atomic { procedure.atomic() } else { procedure };
    procedure.handle(handle as Handle)
}

fn router(zo: &App, part: Router<Script>) -> Router<Script> {
    zo.router()
        .outgoing::<Begun>()
        .incoming("apart", procedure(zo, false))
        .nest("part", part)
}

fn part<S: Handles<RawPayload, ()>, I, A>(
    zo: &App,
    it: Procedure<Script, S, I, A>,
    also: Procedure<Script, S, I, A>,
) -> Router<Script> {
    zo.router().incoming("it", it).incoming("also", also)
}

fn raw_word(payload: &RawPayload) -> String {
    serde_json::from_slice::<Ask>(payload.as_json()).map_or_else(|_| String::new(), |ask| ask.word)
}

fn raw_payload(word: &str) -> RawPayload {
    RawPayload::of(&Ask {
        word: word.to_owned(),
    })
    .unwrap()
}

/// `Zocket::builder().layer(..)`.
pub struct WholeApp;

impl Kind for WholeApp {
    type Payload = RawPayload;
    type Context = ();
    type Inner = RouterService;

    fn word(payload: &RawPayload) -> String {
        raw_word(payload)
    }

    fn payload(word: &str) -> RawPayload {
        raw_payload(word)
    }
}

impl Position for WholeApp {
    const IS_WHOLE_APP: bool = true;

    fn build(script: &Script, atomic: bool, layer: LayerAt<Self>) -> UpgradeService {
        let zo = builder(script).layer(layer).build();
        let part = part(&zo, procedure(&zo, atomic), procedure(&zo, atomic));
        zo.serve(router(&zo, part))
    }
}

/// `Router::layer`.
pub struct OutsideFanout;

impl Kind for OutsideFanout {
    type Payload = RawPayload;
    type Context = ();
    type Inner = Route;

    fn word(payload: &RawPayload) -> String {
        raw_word(payload)
    }

    fn payload(word: &str) -> RawPayload {
        raw_payload(word)
    }
}

impl Position for OutsideFanout {
    fn build(script: &Script, atomic: bool, layer: LayerAt<Self>) -> UpgradeService {
        let zo = builder(script).build();
        let part = part(&zo, procedure(&zo, atomic), procedure(&zo, atomic)).layer(layer);
        zo.serve(router(&zo, part))
    }
}

/// `ProcedureBuilder::layer`.
pub struct InsideFanout;

impl Kind for InsideFanout {
    type Payload = Ask;
    type Context = Context<Script>;
    type Inner = HandlerService<Handle, Script, (Context<Script>, Ask)>;

    fn word(payload: &Ask) -> String {
        payload.word.clone()
    }

    fn payload(word: &str) -> Ask {
        Ask {
            word: word.to_owned(),
        }
    }
}

impl Position for InsideFanout {
    const IS_INSIDE: bool = true;

    fn build(script: &Script, atomic: bool, layer: LayerAt<Self>) -> UpgradeService {
        let zo = builder(script).build();
        let procedure = declaring(&zo).layer(layer);
        let procedure = if atomic { procedure.atomic() } else { procedure };
        let handled = || procedure.clone().handle(handle as Handle);
        let part = part(&zo, handled(), handled());
        zo.serve(router(&zo, part))
    }
}
