//! Schemas of a user's choices, as the standard preferences are described.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::preferences::{Standard, StandardForm};
use crate::domain::settings::{Form, Setting};

#[derive(Debug)]
pub struct Preferences;

/// A change of a user's choices, where null takes one away.
#[derive(Debug)]
pub struct PreferencesPatch;

impl PartialSchema for Preferences {
    fn schema() -> RefOr<Schema> {
        choices(
            "A user's choices: Anam's own field names, `displayName`, `tone`, and what the tenant adds.",
            SchemaType::Type,
        )
    }
}

impl PartialSchema for PreferencesPatch {
    fn schema() -> RefOr<Schema> {
        choices(
            "A change of a user's choices: `null` takes one away.",
            |kind| SchemaType::Array(vec![kind, Type::Null]),
        )
    }
}

impl ToSchema for Preferences {
    fn name() -> Cow<'static, str> {
        "Preferences".into()
    }
}

impl ToSchema for PreferencesPatch {
    fn name() -> Cow<'static, str> {
        "PreferencesPatch".into()
    }
}

fn choices(about: &str, typed: fn(Type) -> SchemaType) -> RefOr<Schema> {
    let own = ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("What the tenant adds; see `GET /v1/me/options`."));
    let standard = Standard::all().fold(
        ObjectBuilder::new().schema_type(Type::Object),
        |all, standard| all.property(standard.name, choice(&standard, typed)),
    );
    AllOfBuilder::new()
        .item(own)
        .item(standard)
        .description(Some(about))
        .into()
}

fn choice(standard: &Standard, typed: fn(Type) -> SchemaType) -> ObjectBuilder {
    let schema = match standard.form {
        StandardForm::Setting(setting) => value_of(setting, typed),
        StandardForm::Prompt(max_chars) | StandardForm::Line(max_chars) => ObjectBuilder::new()
            .schema_type(typed(Type::String))
            .min_length(Some(1))
            .max_length(Some(max_chars)),
    };
    schema
        .description(Some(standard.about))
        .examples(standard.example)
}

/// What a setting may be. Which ids there are is the tenant's own, see `GET /v1/me/options`.
fn value_of(setting: &Setting, typed: fn(Type) -> SchemaType) -> ObjectBuilder {
    let of_type = |kind| ObjectBuilder::new().schema_type(typed(kind));
    match &setting.form {
        Form::Id(_) | Form::Language => of_type(Type::String),
        Form::Text(most) => of_type(Type::String).max_length(*most),
        Form::OneOf(names) => of_type(Type::String).enum_values(Some(names().iter().copied())),
        Form::Flag => of_type(Type::Boolean),
        Form::Whole(range) => of_type(Type::Integer)
            .minimum(Some(*range.start()))
            .maximum(Some(*range.end())),
        Form::WholeOf(numbers) => of_type(Type::Integer).enum_values(Some(numbers.iter().copied())),
        Form::Number(range) => of_type(Type::Number)
            .minimum(Some(*range.start()))
            .maximum(Some(*range.end())),
        Form::Ids(_) | Form::Tools => of_type(Type::Array),
        Form::Group { .. } => of_type(Type::Object),
    }
}
