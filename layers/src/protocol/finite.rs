//! Refusal of numbers that JSON lacks. serde_json writes NaN and infinity as null, which a client would read as a value
//! that the type does not have.

use std::{fmt, io};

use serde::{Serialize, ser};
use serde_json::ser::Formatter;

/// Appends a value as JSON.
///
/// # Errors
/// Those of `Serialize`, and a float that is not finite: the message names its place in the value.
pub(crate) fn write_value<T: Serialize + ?Sized>(
    buffer: &mut Vec<u8>,
    value: &T,
) -> Result<(), serde_json::Error> {
    let mut nulls = false;
    value.serialize(&mut serde_json::Serializer::with_formatter(
        buffer,
        NoticeNulls(&mut nulls),
    ))?;
    // Only a value that was written with a null can have had such a float. It is looked for by a second walk.
    if nulls { search(value) } else { Ok(()) }
}

/// Compact JSON. Notes that a null was written.
struct NoticeNulls<'a>(&'a mut bool);

impl Formatter for NoticeNulls<'_> {
    fn write_null<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        *self.0 = true;
        writer.write_all(b"null")
    }
}

#[cold]
fn search<T: Serialize + ?Sized>(value: &T) -> Result<(), serde_json::Error> {
    match value.serialize(Search) {
        Err(Found(Some(place))) => Err(ser::Error::custom(place)),
        // `Serialize` has succeeded before.
        Ok(()) | Err(Found(None)) => Ok(()),
    }
}

/// The float that a search found, or none for another error.
#[derive(Debug)]
struct Found(Option<Box<Place>>);

#[derive(Debug)]
struct Place {
    number: f64,
    /// Steps from the float to the whole value.
    steps: Vec<String>,
}

impl Found {
    /// Adds the step to the value in which the float is.
    fn within(mut self, step: impl FnOnce() -> String) -> Self {
        if let Some(place) = &mut self.0 {
            place.steps.push(step());
        }
        self
    }
}

/// Writes `stats.mean[2]: expected a finite number, got NaN`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "expected a finite number, got {}", self.number)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(place) => place.fmt(f),
            None => f.write_str("not serialized"),
        }
    }
}

impl std::error::Error for Found {}

impl ser::Error for Found {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }
}

/// Serializer that writes nothing, and fails at the first float that is not finite.
#[derive(Clone, Copy)]
struct Search;

impl Search {
    fn float(number: f64) -> Result<(), Found> {
        if number.is_finite() {
            return Ok(());
        }
        Err(Found(Some(Box::new(Place {
            number,
            steps: Vec::new(),
        }))))
    }
}

/// Implements methods for values without a float.
macro_rules! accept {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, _: $type) -> Result<(), Found> {
            Ok(())
        })*
    };
}

impl ser::Serializer for Search {
    type Ok = ();
    type Error = Found;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Members;
    type SerializeStruct = Members;
    type SerializeStructVariant = Members;

    accept! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_unit_struct: &'static str,
    }

    fn serialize_f32(self, number: f32) -> Result<(), Found> {
        Self::float(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<(), Found> {
        Self::float(number)
    }

    fn serialize_none(self) -> Result<(), Found> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Found> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Found> {
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<(), Found> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Found> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Found> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Found> {
        value
            .serialize(self)
            .map_err(|found| found.within(|| variant.to_owned()))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items, Found> {
        Ok(Items::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<Items, Found> {
        Ok(Items::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items, Found> {
        Ok(Items::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items, Found> {
        Ok(Items {
            variant: Some(variant),
            index: 0,
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members, Found> {
        Ok(Members::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members, Found> {
        Ok(Members::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members, Found> {
        Ok(Members {
            variant: Some(variant),
            key: String::new(),
        })
    }
}

/// Adds the step into a variant, if there is one.
fn within_variant(found: Found, variant: Option<&'static str>) -> Found {
    match variant {
        Some(variant) => found.within(|| variant.to_owned()),
        None => found,
    }
}

#[derive(Default)]
struct Items {
    variant: Option<&'static str>,
    index: usize,
}

impl Items {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> {
        let index = self.index;
        self.index += 1;
        value
            .serialize(Search)
            .map_err(|found| within_variant(found.within(|| format!("[{index}]")), self.variant))
    }
}

#[derive(Default)]
struct Members {
    variant: Option<&'static str>,
    /// Key of the entry whose value comes next.
    key: String,
}

impl Members {
    fn member<T: Serialize + ?Sized>(&self, key: impl FnOnce() -> String, value: &T) -> Result<(), Found> {
        value
            .serialize(Search)
            .map_err(|found| within_variant(found.within(key), self.variant))
    }
}

/// Returns a map's key as it is on the wire, without its quotes.
fn key_text<T: Serialize + ?Sized>(key: &T) -> String {
    let text = serde_json::to_string(key).unwrap_or_default();
    text.trim_matches('"').to_owned()
}

/// Implements the traits of sequences and structs, which differ by their methods' names.
macro_rules! parts {
    ($($trait:ident: $method:ident),*) => {
        $(impl ser::$trait for Items {
            type Ok = ();
            type Error = Found;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> {
                self.item(value)
            }

            fn end(self) -> Result<(), Found> {
                Ok(())
            }
        })*
    };
    ($($trait:ident),*) => {
        $(impl ser::$trait for Members {
            type Ok = ();
            type Error = Found;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Found> {
                self.member(|| key.to_owned(), value)
            }

            fn end(self) -> Result<(), Found> {
                Ok(())
            }
        })*
    };
}

parts! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
}
parts!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Members {
    type Ok = ();
    type Error = Found;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Found> {
        self.key = key_text(key);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> {
        let key = std::mem::take(&mut self.key);
        self.member(|| key, value)
    }

    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), Found> {
        self.member(|| key_text(key), value)
    }

    fn end(self) -> Result<(), Found> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
