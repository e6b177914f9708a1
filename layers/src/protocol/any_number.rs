//! Parsing that does not depend on serde_json's feature `arbitrary_precision`, which any crate of an app can switch on.
//!
//! With it, serde_json passes a number with a fraction as a map to `deserialize_any`. Enums that are untagged or tagged
//! inside, and structs with flattened fields, read their numbers in this way, and then refuse them.

use std::{fmt, sync::LazyLock};

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde_json::Number;

/// The only key of the map that stands for a number.
const KEY: &str = "$serde_json::private::Number";

/// True if the feature is on: a number then keeps its text.
static IS_ON: LazyLock<bool> =
    LazyLock::new(|| serde_json::from_str::<Number>("1.00").is_ok_and(|number| number.to_string() == "1.00"));

/// Parses JSON. A number is a number, wherever it is in the type.
///
/// # Errors
/// If the JSON does not fit the type.
pub(crate) fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    // UTF-8 is validated once for the whole text, so that serde_json does not validate each string.
    let parsed = match std::str::from_utf8(json) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(json),
    };
    match parsed {
        Err(_) if *IS_ON => {
            let mut deserializer = serde_json::Deserializer::from_slice(json);
            let value = T::deserialize(AnyNumber(&mut deserializer))?;
            deserializer.end()?;
            Ok(value)
        }
        parsed => parsed,
    }
}

/// Deserializer that passes each number as one.
pub(crate) struct AnyNumber<D>(pub(crate) D);

/// Visitor whose parts are deserialized by [`AnyNumber`].
struct Parts<V> {
    visitor: V,
    /// True if a map may stand for a number.
    may_be_number: bool,
}

impl<V> Parts<V> {
    const fn of(visitor: V) -> Self {
        Self {
            visitor,
            may_be_number: false,
        }
    }
}

macro_rules! forward {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($argument,)* Parts::of(visitor))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for AnyNumber<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Parts {
            visitor,
            may_be_number: *IS_ON,
        })
    }

    forward! {
        deserialize_bool(); deserialize_char(); deserialize_str(); deserialize_string();
        deserialize_i8(); deserialize_i16(); deserialize_i32(); deserialize_i64(); deserialize_i128();
        deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64(); deserialize_u128();
        deserialize_f32(); deserialize_f64();
        deserialize_bytes(); deserialize_byte_buf();
        deserialize_option(); deserialize_unit(); deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq(); deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map(); deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier(); deserialize_ignored_any();
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident($type:ty);)*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Parts<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    visit! {
        visit_bool(bool); visit_char(char); visit_str(&str); visit_borrowed_str(&'de str); visit_string(String);
        visit_i8(i8); visit_i16(i16); visit_i32(i32); visit_i64(i64); visit_i128(i128);
        visit_u8(u8); visit_u16(u16); visit_u32(u32); visit_u64(u64); visit_u128(u128);
        visit_f32(f32); visit_f64(f64);
        visit_bytes(&[u8]); visit_borrowed_bytes(&'de [u8]); visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(AnyNumber(deserializer))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(AnyNumber(deserializer))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Items(items))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Variant(variant))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<V::Value, A::Error> {
        let first = match self.may_be_number {
            true => members.next_key::<String>()?,
            false => None,
        };
        if first.as_deref() == Some(KEY) {
            let text: String = members.next_value()?;
            return match text.parse::<f64>() {
                Ok(number) if number.is_finite() => self.visitor.visit_f64(number),
                _ => Err(A::Error::custom("number out of range")),
            };
        }
        self.visitor.visit_map(Members { first, members })
    }
}

struct Seed<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(AnyNumber(deserializer))
    }
}

struct Items<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Seed(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

struct Members<A> {
    /// The first key, if it was read to see whether the map stands for a number.
    first: Option<String>,
    members: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        match self.first.take() {
            Some(first) => seed.deserialize(first.into_deserializer()).map(Some),
            None => self.members.next_key_seed(seed),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.members.next_value_seed(Seed(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.members.size_hint()
    }
}

struct Variant<A>(A);

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Variant<A> {
    type Error = A::Error;
    type Variant = Variant<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (name, content) = self.0.variant_seed(seed)?;
        Ok((name, Variant(content)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Variant<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(Seed(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, Parts::of(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, Parts::of(visitor))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "kind")]
    enum Figure {
        Circle { radius: f32, at: Option<(f64, f64)> },
        Line(Line),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Line {
        length: f64,
        #[serde(flatten)]
        rest: BTreeMap<String, f64>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Count(u64),
        Ratio(f64),
        Many(Vec<Self>),
        Named(BTreeMap<String, Figure>),
    }

    fn read<T: DeserializeOwned>(json: &str) -> T {
        from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_with_a_fraction_are_read_where_serde_keeps_a_value_for_later() {
        let circle = |radius, at| Figure::Circle { radius, at };
        assert_eq!(
            read::<Figure>(r#"{"radius":1.5,"at":[0.25,2],"kind":"Circle"}"#),
            circle(1.5, Some((0.25, 2.0)))
        );
        let line = r#"{"kind":"Line","length":-1e-3,"a":0.1,"b":18446744073709551616}"#;
        let rest = BTreeMap::from([
            ("a".to_owned(), 0.1),
            ("b".to_owned(), 18_446_744_073_709_551_616.0),
        ]);
        assert_eq!(read::<Figure>(line), Figure::Line(Line { length: -0.001, rest }));
        let many = Either::Many(vec![Either::Count(1), Either::Ratio(1.0), Either::Ratio(1e300)]);
        assert_eq!(read::<Either>("[1,1.0,1e300]"), many);
        let named = Either::Named(BTreeMap::from([("a".to_owned(), circle(0.5, None))]));
        assert_eq!(read::<Either>(r#"{"a":{"kind":"Circle","radius":0.5}}"#), named);
        assert_eq!(read::<Value>(r#"{"a":[0.5]}"#)["a"][0].as_f64(), Some(0.5));
    }

    #[test]
    fn other_json_is_refused_as_by_serde() {
        let refused = |json: &str| from_json::<Either>(json.as_bytes()).unwrap_err().to_string();
        for json in ["\"1.5\"", "[[true]]", r#"{"a":{"kind":"Circle","radius":"0.5"}}"#] {
            assert_eq!(
                refused(json),
                "data did not match any variant of untagged enum Either",
                "{json}"
            );
        }
        assert!(refused("1.5 2").starts_with("trailing characters"));
        assert!(refused("1e999").starts_with("number out of range"));
    }
}
