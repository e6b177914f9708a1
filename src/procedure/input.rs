//! The input of a procedure: declared by its builder, or by the second argument of its handler.

use std::marker::PhantomData;

use schemars::SchemaGenerator;
use zocket_layers::{Context, Input, ValidateLayer};

use crate::contract::SchemaOf;

/// State of a builder that has no input yet. The first function that takes one declares it.
#[derive(Debug, Clone, Copy)]
pub struct Undeclared;

/// State of a builder with the input `I`.
#[derive(Debug)]
pub struct Declared<I>(PhantomData<fn() -> I>);

/// Input of a procedure whose builder is in the state `Self`, and whose handler or middleware has the arguments `M`:
/// `(Context<C>,)` or `(Context<C>, I)`.
pub trait InputOf<M> {
    /// Type of the input, or `()` for none.
    type Input;

    /// Returns the layer that parses the input.
    #[must_use]
    fn rules() -> ValidateLayer<Self::Input>
    where
        Self::Input: Input,
    {
        ValidateLayer::new()
    }

    /// Returns the schema of the input for the contract. None if payloads are ignored.
    #[must_use]
    fn schema() -> Option<SchemaOf>
    where
        Self::Input: Input,
    {
        Some(SchemaGenerator::subschema_for::<Self::Input>)
    }
}

impl<C> InputOf<(Context<C>,)> for Undeclared {
    type Input = ();

    fn rules() -> ValidateLayer<()> {
        ValidateLayer::ignoring()
    }

    fn schema() -> Option<SchemaOf> {
        None
    }
}

impl<C, I> InputOf<(Context<C>, I)> for Undeclared {
    type Input = I;
}

impl<C, I> InputOf<(Context<C>,)> for Declared<I> {
    type Input = I;
}

impl<C, I: Takes<J>, J> InputOf<(Context<C>, J)> for Declared<I> {
    type Input = J;
}

/// A procedure with the input `Self` has functions that take a `J`. Implemented for `Self` alone.
#[diagnostic::on_unimplemented(
    message = "the input is `{J}` here, and `{Self}` before",
    label = "takes `{J}`, not `{Self}`",
    note = "`.input::<{Self}>()`, or the first middleware or handler that takes an input, declares it for all of them"
)]
pub trait Takes<J> {}

impl<I> Takes<I> for I {}
