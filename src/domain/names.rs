//! The names that a type reads, as its `Deserialize` tells them: members of a struct, values of an enum.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Members of a struct or values of an enum; none for any other type.
pub fn names_of<T: DeserializeOwned>() -> &'static [&'static str] {
    match T::deserialize(Listener) {
        Err(FieldNames(names)) => names,
        Ok(_) => &[],
    }
}

/// A deserializer without input, which records the names that the type asks for.
struct Listener;

#[derive(Debug)]
struct FieldNames(&'static [&'static str]);

impl fmt::Display for FieldNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for FieldNames {}

impl serde::de::Error for FieldNames {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> Deserializer<'de> for Listener {
    type Error = FieldNames;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, FieldNames> {
        Err(FieldNames(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, FieldNames> {
        Err(FieldNames(names))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, FieldNames> {
        Err(FieldNames(names))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::{Emotion, SessionReplay};

    #[test]
    fn a_type_tells_the_names_that_it_reads() {
        assert_eq!(names_of::<SessionReplay>(), ["enableSessionReplay"]);
        assert_eq!(names_of::<Emotion>().last(), Some(&"scared"));
        assert!(names_of::<u32>().is_empty());
    }
}
