//! Values that panic.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    hash::{Hash, Hasher},
    panic::panic_any,
    pin::Pin,
    task::{Context as Task, Poll},
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use zocket::{Error, Outgoing};

/// An error that panics in `Display`, in `source`, or in its drop.
#[derive(Debug)]
pub struct Evil(pub &'static str);

impl fmt::Display for Evil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(self.0 != "display", "as asked for, in display");
        f.write_str("evil")
    }
}

impl StdError for Evil {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        assert!(self.0 != "source", "as asked for, in source");
        None
    }
}

impl Drop for Evil {
    fn drop(&mut self) {
        assert!(
            self.0 != "drop" || std::thread::panicking(),
            "as asked for, in drop"
        );
    }
}

/// A payload of a panic whose drop panics, as often as given.
pub struct Bomb(pub usize);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 && !std::thread::panicking() {
            panic_any(Self(self.0 - 1));
        }
    }
}

/// A future that is ready after some polls, and whose drop panics.
pub struct Mined(pub usize);

impl Future for Mined {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        if self.0 == 0 {
            return Poll::Ready(Ok(()));
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Mined {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic_any(Bomb(2));
        }
    }
}

#[derive(Deserialize, JsonSchema, Validate)]
pub struct Ruled {
    #[garde(custom(|_: &String, _: &()| -> garde::Result { panic!("as asked for, in a rule") }))]
    #[serde(rename = "ruled")]
    _ruled: String,
}

#[derive(JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct Unreadable {}

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("as asked for, in deserialize")
    }
}

/// An input whose drop panics.
#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
pub struct Undroppable(#[expect(dead_code, reason = "it is only dropped")] String);

impl Drop for Undroppable {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "as asked for, in an input's drop");
    }
}

#[derive(JsonSchema)]
pub struct Unwritable;

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("as asked for, in serialize")
    }
}

impl Outgoing for Unwritable {
    const TYPE: &'static str = "unwritable";
}

/// A key that panics in `Hash` or `Eq`.
#[derive(Clone)]
pub struct Key(pub &'static str);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        assert!(self.0 != "quota.hash", "as asked for, in hash");
        "same".hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        assert!(self.0 != "quota.eq", "as asked for, in eq");
        self.0 == other.0
    }
}

impl Eq for Key {}
