//! The most frequent types of members.

use std::ops::Deref;

use chrono::{DateTime, Datelike, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{Member, Schemas};
use crate::domain::email::{self, Email};
use crate::domain::fault::Fault;
use crate::domain::members::{block, flag, line, number, object};
use crate::domain::wrong::{Words, Wrong};

fn at_this_place(message: impl Into<Words>) -> Vec<Fault> {
    vec![Fault::new("", message)]
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $read:ident, $least:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name<const MAX: usize>(String);

        impl<const MAX: usize> Deref for $name<MAX> {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl<const MAX: usize> From<$name<MAX>> for String {
            fn from(text: $name<MAX>) -> Self {
                text.0
            }
        }

        impl<const MAX: usize> Member for $name<MAX> {
            fn read(value: Value) -> Result<Self, Vec<Fault>> {
                $read(MAX)(value).map(Self).map_err(at_this_place)
            }

            fn schema(_: &mut Schemas) -> Value {
                let least: usize = $least;
                match least {
                    0 => json!({ "type": "string", "maxLength": MAX }),
                    least => json!({ "type": "string", "minLength": least, "maxLength": MAX }),
                }
            }
        }
    )+};
}

texts! {
    /// One clean line of 1 to `MAX` characters.
    Line: line, 1;
    /// A clean text of at most `MAX` characters, of any number of lines; may be empty.
    Block: block, 0;
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeNumber<N, const MIN: i64, const MAX: i64>(N);

impl<N, const MIN: i64, const MAX: i64> WholeNumber<N, MIN, MAX> {
    /// The number.
    pub fn get(self) -> N {
        self.0
    }
}

impl<N: TryFrom<i64>, const MIN: i64, const MAX: i64> Member for WholeNumber<N, MIN, MAX> {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        let number = number(MIN, MAX)(value).map_err(at_this_place)?;
        // The bounds are within the type's.
        let number = N::try_from(number).map_err(|_wide| at_this_place(Wrong::range(MIN, MAX)))?;
        Ok(Self(number))
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

pub type VersionNumber = WholeNumber<i32, 1, 2_147_483_647>;

impl Member for bool {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        flag(value).map_err(at_this_place)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "boolean" })
    }
}

/// An object whose members another parser reads.
pub type Object = Map<String, Value>;

impl Member for Object {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        object(value).map_err(at_this_place)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "object" })
    }
}

/// A moment, RFC 3339 with any offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(DateTime<Utc>);

impl Moment {
    pub fn get(self) -> DateTime<Utc> {
        self.0
    }
}

impl Member for Moment {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        value
            .as_str()
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
            .map(|moment| moment.to_utc())
            // Others read years of four digits only.
            .filter(|moment| (1..=9_999).contains(&moment.year()))
            .map(Self)
            .ok_or_else(|| {
                at_this_place(
                    Wrong::Time("2030-01-31T08:00:00Z")
                        .worded("must be a moment such as 2030-01-31T08:00:00Z"),
                )
            })
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "format": "date-time" })
    }
}

/// An e-mail address of a person who administers.
impl Member for Email {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        Self::parse(value.as_str().unwrap_or_default())
            .map_err(|bad| at_this_place(Wrong::Email.worded(bad.to_string())))
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "format": "email", "maxLength": email::MAX_LENGTH })
    }
}

/// A secret text, as `parse` wants it.
pub fn secret<T>(
    value: Value,
    parse: impl FnOnce(SecretString) -> Result<T, Words>,
) -> Result<T, Vec<Fault>> {
    let read = match value {
        Value::String(text) => parse(SecretString::from(text)),
        _ => Err(Wrong::Text.into()),
    };
    read.map_err(at_this_place)
}

/// A secret text of 1 to `MAX` bytes.
#[derive(Debug, Clone)]
pub struct Secret<const MAX: usize>(SecretString);

impl<const MAX: usize> Secret<MAX> {
    pub fn into_inner(self) -> SecretString {
        self.0
    }
}

impl<const MAX: usize> Member for Secret<MAX> {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        match value {
            Value::String(text) if (1..=MAX).contains(&text.len()) => {
                Ok(Self(SecretString::from(text)))
            }
            _ => Err(at_this_place(Wrong::TextBytes {
                least: 1,
                most: MAX,
            })),
        }
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "minLength": 1, "maxLength": MAX, "writeOnly": true })
    }
}
