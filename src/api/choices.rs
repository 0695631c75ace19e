//! A user's choices as the API takes and gives them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::openapi::{Preferences, PreferencesPatch};
use crate::domain::fault::Fault;
use crate::web::input::{Member, Object, Schemas};

/// All choices of a user, to be read by what the tenant lets users choose.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Choices(pub(super) Map<String, Value>);

/// A change of a user's choices.
#[derive(Debug)]
pub(super) struct ChoicesPatch(pub(super) Map<String, Value>);

impl Member for Choices {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        Object::read(value).map(Self)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.output::<Self>()
    }
}

impl Member for ChoicesPatch {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        Object::read(value).map(Self)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.output::<PreferencesPatch>()
    }
}

impl PartialSchema for Choices {
    fn schema() -> RefOr<Schema> {
        Preferences::schema()
    }
}

impl ToSchema for Choices {
    fn name() -> Cow<'static, str> {
        Preferences::name()
    }
}
