//! Text that is cleaned while it is parsed, before its constraints are looked at.
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

/// A way to clean a text. Two, three or four in a tuple are applied in order.
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
    /// The text as it should be. Cleaning what is clean must not change it.
    fn clean(text: String) -> String;

    /// What the schema tells of it under `x-normalize`: of `trim`, `lowercase` and `uppercase`, those that it
    /// consists of. Where a payload is refused for its shape, a text is cleaned by these names before its
    /// constraints are looked at; a normaliser without names is seen uncleaned there.
    #[must_use]
    fn names() -> Vec<&'static str> {
        Vec::new()
    }
}

/// Takes white space (as Unicode has it) off both ends.
#[derive(Debug, Clone, Copy)]
pub enum Trim {}

/// Makes all letters small, in the way of Unicode and of no language in particular.
#[derive(Debug, Clone, Copy)]
pub enum Lowercase {}

/// Makes all letters capital, in the way of Unicode and of no language in particular.
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
/// Text in small letters.
pub type Lowercased = Normalized<Lowercase>;
/// Text in small letters without white space at its ends, as for e-mail addresses and names to look up by.
pub type TrimmedLowercased = Normalized<(Trim, Lowercase)>;
