//! Procedures: the handlers of messages, with their validation and layers.

mod call;
mod input;

use std::{any::TypeId, fmt, future::Future, marker::PhantomData};

use schemars::SchemaGenerator;
use tower::{
    Layer,
    layer::util::{Identity, Stack},
};
use zocket_layers::{
    Code, Context, ContextLayer, ContextService, Error, Handler, HandlerService, Input, Message, Refusal,
    ValidateService, handler_fn,
    middleware::{WithInputLayer, WithLayer, with, with_input},
    service::ServedByClones,
};

pub use self::{
    call::ProcedureFuture,
    input::{Declared, InputOf, Takes, Undeclared},
};
use crate::{contract::SchemaOf, router::DeclaredRefusal};

/// Builds the stack for one kind of message, from its payload to its handler. Each method returns a builder with one
/// more step. Procedures with the same first steps can be built from clones of one builder.
///
/// The second argument of the handler is the input of the procedure. [`input`](Self::input) declares it where the
/// handler takes none. Layers and middleware run in the order written, after validation.
///
/// `C0` is the value that `on_connect` makes. `C` is the value that the middleware added so far passes on. `I` is
/// [`Declared`] with the input, or [`Undeclared`]. `L` are the layers.
pub struct ProcedureBuilder<C0, C, I, L> {
    layers: L,
    max_payload: usize,
    traits: Traits,
    types: PhantomData<Types<C0, C, I>>,
}

/// The layers of a procedure with one more [`with`](ProcedureBuilder::with).
pub type With<F, C, D, L> = Stack<WithLayer<F, C, D>, L>;
/// The layers of a procedure with one more [`with_input`](ProcedureBuilder::with_input).
pub type WithInput<F, C, D, L> = Stack<WithInputLayer<F, C, D>, L>;

/// The service of a procedure: validation around a stack that has the context.
pub type Validated<S, C0, I> = ValidateService<ContextService<S, C0>, I>;

/// The procedure of a stack.
type Handled<S, C0, I, A> = Procedure<C0, Validated<S, C0, I>, I, A>;

type Types<A, B, C> = fn() -> (A, B, C);

/// Declarations of a procedure, beside its service: how the router runs it (effects, order, refusals), and its description
/// and schemas for the contract.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traits {
    pub(crate) atomic: bool,
    pub(crate) concurrent: bool,
    pub(crate) refusals: Vec<DeclaredRefusal>,
    pub(crate) doc: Option<String>,
    pub(crate) input: Option<SchemaOf>,
    pub(crate) output: Option<SchemaOf>,
}

impl<C> ProcedureBuilder<C, C, Undeclared, Identity> {
    pub(crate) fn new() -> Self {
        Self {
            layers: Identity::new(),
            max_payload: usize::MAX,
            traits: Traits::default(),
            types: PhantomData,
        }
    }
}

impl<C0, C, I, L> ProcedureBuilder<C0, C, I, L> {
    /// Declares the type of the input. A payload that does not parse as a `J`, or violates its constraints, is refused
    /// with BAD_REQUEST and all its issues.
    ///
    /// The second argument of a handler or of [`with_input`](Self::with_input) declares it as well. Without any of
    /// these, the payload is ignored.
    #[must_use]
    pub fn input<J: Input>(self) -> ProcedureBuilder<C0, C, Declared<J>, L>
    where
        I: InputOf<(Context<C>, J)>,
    {
        self.map(|layers| layers)
    }

    /// Adds a tower layer around everything that is added later. It is inside of fan-out: its requests are
    /// [`Message`]s with the input and the [`Context`], its responses [`Reply`](crate::Reply)s.
    ///
    /// The layer's service must be `Clone`, because each message gets a clone. tower's `RateLimit` is not `Clone`: put
    /// it behind tower's `Buffer`.
    #[must_use]
    pub fn layer<T>(self, layer: T) -> ProcedureBuilder<C0, C, I, Stack<T, L>> {
        self.map(|layers| Stack::new(layer, layers))
    }

    /// Adds middleware that replaces the context: `async fn(Context<C>) -> Result<D, Error>`. The message continues
    /// with a `Context<D>`, or is refused.
    #[must_use]
    pub fn with<F, Fut, D>(self, f: F) -> ProcedureBuilder<C0, D, I, With<F, C, D, L>>
    where
        F: Fn(Context<C>) -> Fut,
        Fut: Future<Output = Result<D, Error>>,
    {
        self.map(|layers| Stack::new(with(f), layers))
    }

    /// Adds middleware that reads or changes the input: `async fn(Context<C>, I) -> Result<(D, I), Error>`. The message
    /// continues with a `Context<D>` and the returned input, or is refused.
    #[must_use]
    pub fn with_input<F, Fut, D, J>(self, f: F) -> ProcedureBuilder<C0, D, Declared<J>, WithInput<F, C, D, L>>
    where
        I: InputOf<(Context<C>, J), Input: Input>,
        F: Fn(Context<C>, J) -> Fut,
        Fut: Future<Output = Result<(D, J), Error>>,
    {
        self.map(|layers| Stack::new(with_input(f), layers))
    }

    /// Holds effects back until the handler succeeds, and drops them if it fails.
    #[must_use]
    pub fn atomic(mut self) -> Self {
        self.traits.atomic = true;
        self
    }

    /// Lets the connection's next message start without waiting for this one.
    #[must_use]
    pub fn concurrent(mut self) -> Self {
        self.traits.concurrent = true;
        self
    }

    /// Declares a refusal with data, which [`Error::refuse`] makes. The code and the type are part of the contract. A
    /// refusal with this code and other data, or none, is answered with INTERNAL_SERVER_ERROR, and logged.
    #[must_use]
    pub fn refuses<R: Refusal>(mut self) -> Self {
        self.traits.refusals.push(DeclaredRefusal::of::<R>());
        self
    }

    /// Declares one of the app's own codes, without data. A refusal with an undeclared code is answered with
    /// INTERNAL_SERVER_ERROR, because clients can't know the code.
    #[must_use]
    pub fn declare_code(mut self, code: Code) -> Self {
        self.traits.refusals.push(DeclaredRefusal::of_code(code));
        self
    }

    /// Sets the message's description in the contract. Generated clients show it as the documentation of the call.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.traits.doc = Some(doc.into());
        self
    }

    /// Refuses payloads of more than `bytes` bytes with PAYLOAD_TOO_LARGE, before they are parsed.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Completes the procedure with a handler: `async fn(Context<C>) -> Result<R, Error>`, or with the input as its
    /// second argument.
    ///
    /// An async closure that captures is not a handler, because its future borrows from the closure. Put state that
    /// handlers share into the context's value, by [`on_connect_with`](crate::Builder::on_connect_with), or clone it in
    /// the closure: `move |cx| { let pool = pool.clone(); async move { .. } }`.
    pub fn handle<H, M>(self, handler: H) -> Handled<L::Service, C0, I::Input, H::Answer>
    where
        H: Handler<C, M, Future: Send>,
        I: InputOf<M, Input: Input>,
        L: Layer<HandlerService<H, C, M>, Service: ServedByClones<Message<I::Input, Context<C0>>>>,
    {
        let inner = self.layers.layer(handler_fn(handler));
        let service = ContextLayer::new().layer(inner);
        let answers = TypeId::of::<H::Answer>() != TypeId::of::<()>();
        let output = answers.then_some(SchemaGenerator::subschema_for::<H::Answer> as SchemaOf);
        Procedure {
            service: I::rules().max_bytes(self.max_payload).layer(service),
            traits: Traits {
                input: I::schema(),
                output,
                ..self.traits
            },
            types: PhantomData,
        }
    }

    fn map<D, J, T>(self, layers: impl FnOnce(L) -> T) -> ProcedureBuilder<C0, D, J, T> {
        ProcedureBuilder {
            layers: layers(self.layers),
            max_payload: self.max_payload,
            traits: self.traits,
            types: PhantomData,
        }
    }
}

impl<C0, C, I, L: Clone> Clone for ProcedureBuilder<C0, C, I, L> {
    fn clone(&self) -> Self {
        Self {
            layers: self.layers.clone(),
            max_payload: self.max_payload,
            traits: self.traits.clone(),
            types: PhantomData,
        }
    }
}

impl<C0, C, I, L> fmt::Debug for ProcedureBuilder<C0, C, I, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcedureBuilder")
            .field("traits", &self.traits)
            .finish_non_exhaustive()
    }
}

/// A procedure with its handler, for [`Router::receive`](crate::Router::receive) and
/// [`Router::incoming`](crate::Router::incoming). `I` is the type of its input, `A` of its answer.
///
/// A test calls it without a socket, by [`call_as`](Self::call_as). It is also a tower service of [`Message`]s. Without a
/// router it performs no effects, but returns them in [`Reply::effects`](crate::Reply::effects).
///
/// Its refusals are checked as in a router: one that the procedure does not declare becomes INTERNAL_SERVER_ERROR. Other
/// errors remain those of its layers (for example tower's `Elapsed`), because `RescueLayer` is outside of the procedure.
/// [`Zocket::serve`](crate::Zocket::serve) declares the app's events. Until then, every event may be sent.
pub struct Procedure<C0, S, I = (), A = ()> {
    pub(crate) service: S,
    pub(crate) traits: Traits,
    types: PhantomData<Types<C0, I, A>>,
}

impl<C0, S: Clone, I, A> Clone for Procedure<C0, S, I, A> {
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            traits: self.traits.clone(),
            types: PhantomData,
        }
    }
}

impl<C0, S: fmt::Debug, I, A> fmt::Debug for Procedure<C0, S, I, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Procedure")
            .field("service", &self.service)
            .field("traits", &self.traits)
            .finish()
    }
}
