//! Text that is cleaned while it is parsed, before its constraints are checked.
//!
//! ```
//! use zocket_layers::{normalize::{Trimmed, TrimmedLowercased}, validate::Checker};
//!
//! #[derive(Debug, serde::Deserialize, garde::Validate, schemars::JsonSchema)]
//! struct SignUp {
//!     #[garde(length(chars, min = 1, max = 40))]
//!     name: Trimmed,
//!     #[garde(email)]
//!     email: TrimmedLowercased,
//! }
//!
//! let checker = Checker::<SignUp>::new();
//! let input = checker.check(br#"{"name":" Ada ","email":"Ada@Example.org "}"#).unwrap();
//! assert_eq!(input.name, "Ada");
//! assert_eq!(input.email, "ada@example.org");
//!
//! let issues = checker.check(br#"{"name":"   ","email":"ada@example.org"}"#).unwrap_err();
//! assert_eq!(issues[0].to_string(), "name: at least 1 character, got 0");
//! ```

mod normalized;
mod step;

pub use normalized::Normalized;
pub(crate) use step::{Step, apply};

/// A function that cleans a text. A tuple of two, three or four normalisers applies them in order.
///
/// ```
/// use zocket_layers::normalize::{Normalized, Normalizer};
///
/// enum OneLine {}
/// impl Normalizer for OneLine {
///     fn clean(text: String) -> String {
///         text.split_whitespace().collect::<Vec<_>>().join(" ")
///     }
/// }
/// assert_eq!(Normalized::<OneLine>::from("a\n b"), "a b");
/// ```
pub trait Normalizer: 'static {
    /// Returns the cleaned text. Cleaning a clean text must not change it.
    fn clean(text: String) -> String;

    /// Returns the names for `x-normalize` in the schema: those of `trim`, `lowercase` and `uppercase` that it
    /// consists of. If a payload is refused for its shape, a text is cleaned by these names before its constraints are
    /// checked. A normaliser without names leaves its text uncleaned there.
    #[must_use]
    fn names() -> Vec<&'static str> {
        Vec::new()
    }
}

/// Normaliser that removes white space (as defined by Unicode) at both ends.
#[derive(Debug, Clone, Copy)]
pub enum Trim {}

/// Normaliser that converts to lower case by the rules of Unicode, independent of language.
#[derive(Debug, Clone, Copy)]
pub enum Lowercase {}

/// Normaliser that converts to upper case by the rules of Unicode, independent of language.
#[derive(Debug, Clone, Copy)]
pub enum Uppercase {}

impl Normalizer for Trim {
    fn clean(text: String) -> String {
        Step::Trim.apply(text)
    }

    fn names() -> Vec<&'static str> {
        vec![Step::Trim.name()]
    }
}

impl Normalizer for Lowercase {
    fn clean(text: String) -> String {
        Step::Lowercase.apply(text)
    }

    fn names() -> Vec<&'static str> {
        vec![Step::Lowercase.name()]
    }
}

impl Normalizer for Uppercase {
    fn clean(text: String) -> String {
        Step::Uppercase.apply(text)
    }

    fn names() -> Vec<&'static str> {
        vec![Step::Uppercase.name()]
    }
}

macro_rules! in_order {
    ($($name:ident)+) => {
        impl<$($name: Normalizer),+> Normalizer for ($($name,)+) {
            fn clean(text: String) -> String {
                $(let text = $name::clean(text);)+
                text
            }

            fn names() -> Vec<&'static str> {
                [$($name::names()),+].concat()
            }
        }
    };
}

in_order!(A B);
in_order!(A B C);
in_order!(A B C D);

/// Text without white space at its ends.
pub type Trimmed = Normalized<Trim>;
/// Text in lower case.
pub type Lowercased = Normalized<Lowercase>;
/// Text in lower case without white space at its ends, for e-mail addresses and lookup keys.
pub type TrimmedLowercased = Normalized<(Trim, Lowercase)>;
