//! Refusals that do not fit the declarations of their route.

use std::{error::Error as StdError, fmt};

use tower::BoxError;

use super::explain::{About, conceal};
use crate::error::Error;

/// Returns an internal error in place of a refusal that no client can know, because it is a mistake in the server. The
/// mistake is logged, and behind it the refusal with its sources.
#[must_use]
pub fn undeclared(mistake: String, refusal: BoxError) -> Error {
    Error::internal(Mistake { mistake, refusal })
}

/// Compares the refusal of a message with the declarations of its route. The layers of the app, which are outside of the
/// routes, may have made it. Returns the refusal, or in place of one that does not fit an internal error.
pub(crate) fn checked(refusal: Error, about: &About) -> Error {
    let declared = about.connection.emitter().declared();
    match declared.mistake(&about.route, &refusal) {
        None => refusal,
        Some(mistake) => conceal(undeclared(mistake, refusal.into()), Some(about)),
    }
}

#[derive(Debug)]
struct Mistake {
    mistake: String,
    refusal: BoxError,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistake)
    }
}

impl StdError for Mistake {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.refusal)
    }
}
