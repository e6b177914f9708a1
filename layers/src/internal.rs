//! Items that the crate `zocket` needs and users do not. They may change in any release.

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};

pub use crate::{
    broken::{Broken, is_broken},
    connection::{
        declared::RefusalRules,
        turns::{Turn, Turns},
    },
    quota::{layer::network, store::QuotaStore},
    refusal::{DataType, read_data},
    rescue::{explain::caught, undeclared::undeclared},
    service::{
        completed::polled_after_completion,
        inspect::{Inspection, inspect},
    },
};
use crate::{
    connection::{Connection, Declared},
    context::Context,
    error::Error,
    hub::Mailbox,
    message::Frame,
    protocol::{from_json, write_value},
    rescue::{explain::About, undeclared::checked},
    sync::AtomicWaker,
};

#[cfg(zocket_broken)]
pub use crate::broken::set_broken;

/// Appends a value as JSON, as events and answers are written.
///
/// # Errors
/// Those of `Serialize`, and a float that is not finite.
pub fn write_json<T: Serialize + ?Sized>(buffer: &mut Vec<u8>, value: &T) -> Result<(), serde_json::Error> {
    write_value(buffer, value)
}

/// Parses JSON, as payloads are parsed: the result does not depend on serde_json's features.
///
/// # Errors
/// If the JSON does not fit the type.
pub fn read_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    from_json(json)
}

/// Returns the waker of the task that reads a mailbox. Callers may use it to wake that task for other reasons.
#[must_use]
pub fn reader(mailbox: &Mailbox) -> &Arc<AtomicWaker> {
    mailbox.reader()
}

/// Returns the turns that messages of a connection have given up.
#[must_use]
pub fn turns(connection: &Connection) -> &Turns {
    connection.turns()
}

/// Sets the turn of a frame.
pub const fn set_turn(frame: &mut Frame, turn: Turn) {
    frame.set_turn(turn);
}

/// Adds the refusals that a route of one more router declares.
pub fn declare_refusals(declared: &Declared, route: &str, rules: Arc<dyn RefusalRules>) {
    declared.extend_refusals(route, rules);
}

/// Returns the refusal of a message that does not begin: a copy of this one, or an internal error in place of one that
/// does not fit the declarations of the route.
#[must_use]
pub fn refusal_of(route: &str, connection: &Connection, error: &Error) -> Error {
    let about = About {
        route: route.into(),
        connection: connection.clone(),
    };
    checked(error.without_source(), &about)
}

/// Waits until every pending effect that the hub accepted from a context has resolved. The connection calls it after
/// `on_open`, since no answer waits for the effects of that callback.
///
/// # Errors
/// The first failure of an effect, whether it was refused at once or was pending.
pub async fn performed<C>(context: &Context<C>) -> Result<(), Error> {
    context.performed().await
}
