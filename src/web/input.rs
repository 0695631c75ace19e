//! Inputs: bodies and queries. The type of a member both parses and describes it, so that each limit is written once.

mod kinds;
mod lists;
mod names;
pub mod schemas;
mod search_text;
mod users;
mod words;

use serde_json::{Map, Value, json};

pub use self::kinds::{Block, Line, Moment, Object, Secret, VersionNumber, WholeNumber, secret};
pub use self::lists::List;
pub use self::names::wire_name;
pub use self::schemas::Schemas;
pub use self::search_text::SearchText;
pub(crate) use self::words::{answered_words, words};
pub use self::words::{schema_of_words, word};
use crate::domain::fault::Fault;
use crate::domain::members::{self, Members};

/// A value of an input.
pub trait Member: Sized {
    /// Whether the member is required.
    const REQUIRED: bool = true;

    /// Whether an empty body counts as an object without members.
    const MAY_BE_NOTHING: bool = false;

    /// Parses the value. Pointers of faults start at it.
    fn read(value: Value) -> Result<Self, Vec<Fault>>;

    /// The JSON Schema.
    fn schema(schemas: &mut Schemas) -> Value;

    /// Parses the member `name` of an object; `None` where there is a fault, which is collected.
    fn read_from(members: &mut Members, name: String) -> Option<Self> {
        if members.has(&name) {
            members.nested(name, Self::read)
        } else {
            members.missing(name)
        }
    }
}

/// An optional member. `null` is not the same as absent.
impl<T: Member> Member for Option<T> {
    const REQUIRED: bool = false;

    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        T::read(value).map(Some)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        T::schema(schemas)
    }

    fn read_from(members: &mut Members, name: String) -> Option<Self> {
        Some(members.nested(name, T::read))
    }
}

/// An object's members, each with its name, its schema and whether it must be there.
pub trait Fields: Sized {
    /// Parses the members; `None` where there is a fault, which is collected. Further members are ignored.
    fn read_all(members: &mut Members) -> Option<Self>;

    /// Describes them.
    fn fields(schemas: &mut Schemas) -> Vec<Field>;
}

/// One member of an object.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name in JSON.
    pub name: String,
    /// The JSON Schema, with a description.
    pub schema: Value,
    pub required: bool,
}

impl Field {
    /// Describes a member of the type `T`, from its line in an `input!`.
    pub fn new<T: Member>(
        schemas: &mut Schemas,
        name: String,
        doc: &[&str],
        example: Option<Value>,
        has_default: bool,
    ) -> Self {
        let mut schema = T::schema(schemas);
        if let Some(members) = schema.as_object_mut() {
            members.insert("description".to_owned(), schemas::text(doc).into());
            if let Some(example) = example {
                members.insert("examples".to_owned(), json!([example]));
            }
        }
        Self {
            name,
            schema,
            required: T::REQUIRED && !has_default,
        }
    }
}

/// No members.
impl Fields for () {
    fn read_all(_: &mut Members) -> Option<Self> {
        Some(())
    }

    fn fields(_: &mut Schemas) -> Vec<Field> {
        Vec::new()
    }
}

impl Member for () {
    const MAY_BE_NOTHING: bool = true;

    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        read_object(value)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        object_schema::<Self>(schemas, &["Nothing"])
    }
}

/// Parses an object with these members and no others.
pub fn read_object<T: Fields>(value: Value) -> Result<T, Vec<Fault>> {
    let object = members::object(value).map_err(|message| vec![Fault::new("", message)])?;
    let mut members = Members::new(object);
    let all = T::read_all(&mut members);
    members.finish()?;
    all.ok_or_else(Vec::new)
}

/// The schema of an object that has these members and no others.
pub fn object_schema<T: Fields>(schemas: &mut Schemas, doc: &[&str]) -> Value {
    let fields = T::fields(schemas);
    let required: Vec<&String> = fields
        .iter()
        .filter(|field| field.required)
        .map(|field| &field.name)
        .collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("description".to_owned(), schemas::text(doc).into());
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    let properties = fields.into_iter().map(|field| (field.name, field.schema));
    let properties: Map<String, Value> = properties.collect();
    schema.insert("properties".to_owned(), properties.into());
    schema.insert("additionalProperties".to_owned(), false.into());
    schema.into()
}

/// Declares an input: an object with these members and no others. Names are in camel case. A member whose type is an
/// `Option` is optional; so is one with a default after `=`. A name of another form is given as `#[name("redirect_uri")]`.
///
/// ```text
/// input! {
///     /// A draft to open.
///     struct NewDraft {
///         /// The version to build on; the newest unless set.
///         #[example(3)]
///         from: Option<Whole<i32, 1, MAX_VERSION>>,
///         /// What it is about.
///         title: Block<200> = Block::default(),
///     }
/// }
/// ```
macro_rules! input {
    ($(
        $(#[doc = $doc:literal])+
        $vis:vis struct $Name:ident {
            $(
                $(#[doc = $field_doc:literal])+
                $(#[name($wire:literal)])?
                $(#[example($($example:tt)+)])?
                $field_vis:vis $field:ident : $ty:ty $(= $default:expr)?
            ),* $(,)?
        }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        $vis struct $Name {
            $($(#[doc = $field_doc])+ $field_vis $field: $ty,)*
        }

        impl $crate::web::input::Fields for $Name {
            fn read_all(members: &mut $crate::domain::members::Members) -> Option<Self> {
                $(let $field = $crate::web::input::input!(
                    @read members, $crate::web::input::input!(@name $field $($wire)?), $ty $(, $default)?
                );)*
                Some(Self { $($field: $field?),* })
            }

            fn fields(
                schemas: &mut $crate::web::input::Schemas,
            ) -> Vec<$crate::web::input::Field> {
                vec![$(
                    $crate::web::input::Field::new::<$ty>(
                        schemas,
                        $crate::web::input::input!(@name $field $($wire)?),
                        &[$($field_doc),+],
                        $crate::web::input::input!(@example $($($example)+)?),
                        $crate::web::input::input!(@has_default $($default)?),
                    )
                ),*]
            }
        }

        impl $crate::web::input::Member for $Name {
            const MAY_BE_NOTHING: bool = true;

            fn read(value: serde_json::Value) -> Result<Self, Vec<$crate::domain::fault::Fault>> {
                $crate::web::input::read_object(value)
            }

            fn schema(schemas: &mut $crate::web::input::Schemas) -> serde_json::Value {
                schemas.named(stringify!($Name), |schemas| {
                    $crate::web::input::object_schema::<Self>(schemas, &[$($doc),+])
                })
            }
        }
    )+};
    (@name $field:ident) => { $crate::web::input::wire_name(stringify!($field)) };
    (@name $field:ident $wire:literal) => { $wire.to_owned() };
    (@read $members:ident, $name:expr, $ty:ty) => {
        <$ty as $crate::web::input::Member>::read_from($members, $name)
    };
    (@read $members:ident, $name:expr, $ty:ty, $default:expr) => {
        $crate::web::input::input!(@read $members, $name, Option<$ty>)
            .map(|sent| sent.unwrap_or_else(|| $default))
    };
    (@example) => { None };
    (@example $($example:tt)+) => { Some(serde_json::json!($($example)+)) };
    (@has_default) => { false };
    (@has_default $default:expr) => { true };
}

pub(crate) use input;
