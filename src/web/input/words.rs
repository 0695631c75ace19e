//! Members that are one of a few words, and enumerations of answers.

use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::{Member, Schemas};
use crate::domain::document::DocumentKind;
use crate::domain::fault::Fault;
use crate::domain::key::{BadSlug, Key, Slug};
use crate::domain::language::Language;
use crate::domain::role::Role;
use crate::domain::wrong::Wrong;

/// Reads one of a few words.
pub fn word<T: Copy>(
    value: &Value,
    words: &[T],
    text: impl Fn(T) -> &'static str,
) -> Result<T, Vec<Fault>> {
    let sent = value.as_str();
    let found = words.iter().find(|word| Some(text(**word)) == sent);
    found.copied().ok_or_else(|| {
        let texts: Vec<&str> = words.iter().map(|word| text(*word)).collect();
        let list = match texts.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, before)) => format!("{} or {last}", before.join(", ")),
            None => String::new(),
        };
        let words = Wrong::one_of(&texts).worded(format!("must be {list}"));
        vec![Fault::new("", words)]
    })
}

/// The schema of an answer's member that is one of a few words.
pub fn schema_of_words(words: &[&str]) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words.iter().copied()))
        .into()
}

/// Describes an enumeration in answers: the words that it may be, in the order in which people read them.
macro_rules! answered_words {
    ($($name:ty: $($variant:ident),+;)+) => {$(
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::web::input::schema_of_words(&[$(Self::$variant.as_str()),+])
            }
        }

        impl utoipa::ToSchema for $name {}
    )+};
}

/// Makes an enumeration a member of inputs, and describes it in answers.
macro_rules! words {
    ($($name:ty: $($variant:ident),+;)+) => {$(
        impl $crate::web::input::Member for $name {
            fn read(value: serde_json::Value) -> Result<Self, Vec<$crate::domain::fault::Fault>> {
                $crate::web::input::word(&value, &[$(Self::$variant),+], Self::as_str)
            }

            fn schema(_: &mut $crate::web::input::Schemas) -> serde_json::Value {
                serde_json::json!({ "type": "string", "enum": [$(Self::$variant.as_str()),+] })
            }
        }

        $crate::web::input::answered_words! { $name: $($variant),+; }
    )+};
}

pub(crate) use answered_words;
pub(crate) use words;

words! {
    Language: English, German;
    Role: Viewer, Editor, Publisher, Owner;
    DocumentKind: Persona, Context, Snippet;
}

/// A document's key.
impl Member for Key {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        Self::parse(value.as_str().unwrap_or_default())
            .map_err(|bad| vec![Fault::new("", Wrong::Key.worded(bad.to_string()))])
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "pattern": Self::PATTERN })
    }
}

/// A tenant's name in URLs.
impl Member for Slug {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        let text = value.as_str().unwrap_or_default();
        text.parse()
            .map_err(|_bad: BadSlug| vec![Fault::new("", Wrong::Slug)])
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "pattern": Self::PATTERN })
    }
}
