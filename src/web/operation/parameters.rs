//! Parameters of paths and queries.

use std::ops::Deref;

use serde_json::{Map, Value, json};

use super::describe::Described;
use super::part::{Intake, Part};
use crate::domain::caller::Subject;
use crate::domain::document::DocumentKind;
use crate::domain::fault::{Faults, step};
use crate::domain::ids;
use crate::domain::key::Key;
use crate::domain::members::Members;
use crate::domain::wrong::Wrong;
use crate::web::Problem;
use crate::web::codes::Code;
use crate::web::input::{Field, Fields, Member, Schemas, VersionNumber};
use crate::web::path::decode;

/// Longest parameter of a query, bytes once decoded. Cursors are the longest ones.
const MAX_QUERY_BYTES: usize = 2_048;

/// The next parameter of the path.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T> Deref for Path<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A type that a parameter of a path is parsed to.
pub trait PathPart: Sized {
    /// The description in the document.
    const MEANING: &'static str;

    /// Parses it; `None` is answered 404.
    fn parse(text: &str) -> Option<Self>;

    /// The JSON Schema.
    fn schema() -> Value;
}

impl<T: PathPart> Part for Path<T> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        let text = intake.next_parameter()?;
        T::parse(&text)
            .map(Self)
            .ok_or_else(|| Problem::new(Code::NotFound))
    }

    fn describe(operation: &mut Described<'_>) {
        operation.path_parameter(T::MEANING, &T::schema());
        operation.may_refuse(404, "Absent");
    }
}

macro_rules! ids {
    ($($name:ident: $meaning:literal;)+) => {$(
        impl PathPart for ids::$name {
            const MEANING: &'static str = $meaning;

            fn parse(text: &str) -> Option<Self> {
                uuid::Uuid::try_parse(text).ok().map(Self)
            }

            fn schema() -> Value {
                json!({ "type": "string", "format": "uuid" })
            }
        }
    )+};
}

ids! {
    AdminId: "The person's id";
    ApiKeyId: "The key's id";
    DraftId: "The draft's id";
    InvitationId: "The invitation's id";
    IssuerId: "The issuer's id";
    ProviderKeyId: "The provider key's id";
    ReleaseId: "The release's id";
    SessionId: "The session's id";
}

impl PathPart for Key {
    const MEANING: &'static str = "Its name within the kind";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": Self::PATTERN })
    }
}

impl PathPart for Subject {
    const MEANING: &'static str = "The `sub` of the user's tokens, percent-encoded, slashes too";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 1, "maxLength": Self::MAX_CHARS, "examples": ["auth0%7C123"] })
    }
}

/// A tenant's name in URLs, or what somebody takes for one.
#[derive(Debug)]
pub struct TenantName(pub String);

impl PathPart for TenantName {
    const MEANING: &'static str = "The tenant's name in URLs";

    fn parse(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }

    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

impl PathPart for VersionNumber {
    const MEANING: &'static str = "The version's number";

    fn parse(text: &str) -> Option<Self> {
        Self::read(Value::from(text.parse::<i32>().ok()?)).ok()
    }

    fn schema() -> Value {
        <Self as Member>::schema(&mut Schemas::default())
    }
}

impl PathPart for DocumentKind {
    const MEANING: &'static str = "The document's kind";

    fn parse(text: &str) -> Option<Self> {
        Self::named(text)
    }

    fn schema() -> Value {
        json!({ "type": "string", "enum": ["persona", "context", "snippet"] })
    }
}

/// The query; unknown parameters are faults.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: Fields> Part for Query<T> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        let fields = T::fields(&mut Schemas::default());
        let mut members = query_members(intake.request.query_string(), &fields)?;
        let all = T::read_all(&mut members);
        finished(members, all).map(Self)
    }

    fn describe(operation: &mut Described<'_>) {
        let fields = T::fields(operation.schemas);
        operation.query_parameters(fields);
        operation.may_refuse(422, "AdminInvalid");
    }
}

/// The query; unknown parameters are ignored, since other parties add some.
#[derive(Debug)]
pub struct PartialQuery<T>(pub T);

impl<T: Fields> Part for PartialQuery<T> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        let fields = T::fields(&mut Schemas::default());
        let is_known = |pair: &&str| {
            let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
            fields.iter().any(|field| field.name == name)
        };
        let query = intake.request.query_string().split('&');
        let query: Vec<&str> = query.filter(is_known).collect();
        let mut members = query_members(&query.join("&"), &fields)?;
        let all = T::read_all(&mut members);
        finished(members, all).map(Self)
    }

    fn describe(operation: &mut Described<'_>) {
        Query::<T>::describe(operation);
    }
}

/// The members of a query, to be read as those of an object are. Where a field wants a number or a flag, a text that is one becomes one.
/// A text is percent-encoded UTF-8 without control characters.
pub(super) fn query_members(query: &str, fields: &[Field]) -> Result<Members, Problem> {
    let mut faults = Faults::new();
    let mut object = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A name that is no text is not repeated.
        let name = text_of(name);
        match (name, text_of(value)) {
            (Some(name), Some(value)) => {
                let kind = fields.iter().find(|field| field.name == name);
                let value = typed(value, kind.and_then(|field| field.schema.get("type")));
                if object.insert(name.clone(), value).is_some() {
                    faults.add(step(&name), Wrong::Twice.worded("is there more than once"));
                }
            }
            (name, _) => faults.add(
                name.map(|name| step(&name)).unwrap_or_default(),
                Wrong::Encoded {
                    most: MAX_QUERY_BYTES,
                },
            ),
        }
    }
    match faults.into_vec() {
        faults if faults.is_empty() => Ok(Members::new(object)),
        faults => Err(unreadable(faults)),
    }
}

/// The parsed value, if there is no fault.
pub(super) fn finished<T>(members: Members, all: Option<T>) -> Result<T, Problem> {
    members.finish().map_err(unreadable)?;
    all.ok_or_else(|| unreadable(Vec::new()))
}

fn unreadable(faults: Vec<crate::domain::fault::Fault>) -> Problem {
    Problem::new(Code::InvalidRequest)
        .detail("The query can't be taken; see errors.")
        .errors(faults)
}

/// One part of a query, decoded once and strictly.
fn text_of(raw: &str) -> Option<String> {
    let text = decode(&raw.replace('+', " "))?;
    (text.len() <= MAX_QUERY_BYTES && !text.contains(char::is_control)).then_some(text)
}

fn typed(text: String, kind: Option<&Value>) -> Value {
    match kind.and_then(Value::as_str) {
        Some("integer") => match text.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_no_number) => text.into(),
        },
        Some("boolean") => match text.as_str() {
            "true" => true.into(),
            "false" => false.into(),
            _ => text.into(),
        },
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_query_become_what_their_field_wants() {
        for (text, kind, value) in [
            ("12", "integer", json!(12)),
            ("1e2", "integer", json!("1e2")),
            ("true", "boolean", json!(true)),
            ("TRUE", "boolean", json!("TRUE")),
            ("12", "string", json!("12")),
        ] {
            assert_eq!(typed(text.to_owned(), Some(&json!(kind))), value);
        }
    }
}
