//! Parameters of paths and queries.

use std::ops::Deref;

use serde_json::{Map, Value, json};

use super::describe::Described;
use super::handler::{Intake, Part};
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
                format!("must be percent-encoded UTF-8 of at most {MAX_QUERY_BYTES} bytes, none of them a control character"),
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

/// The pattern of a path for the router: parameters hold neither slashes nor colons unless they say otherwise.
pub(super) fn pattern(path: &str) -> String {
    with_parameters(path, |parameter| match parameter.split_once(':') {
        Some(_) => parameter.to_owned(),
        None => format!("{parameter}:[^/:]+"),
    })
}

/// The path as people write it, and the names of its parameters.
pub(super) fn in_words(path: &str) -> (String, Vec<String>) {
    let mut names = Vec::new();
    let path = with_parameters(path, |parameter| {
        let name = parameter.split(':').next().unwrap_or_default();
        names.push(name.to_owned());
        name.to_owned()
    });
    (path, names)
}

/// The path with each parameter replaced.
fn with_parameters(path: &str, mut write: impl FnMut(&str) -> String) -> String {
    let (first, parts) = path.split_once('{').unwrap_or((path, ""));
    let mut written = first.to_owned();
    for part in parts.split('{').filter(|part| !part.is_empty()) {
        let (parameter, rest) = part.split_once('}').unwrap_or((part, ""));
        written.push('{');
        written.push_str(&write(parameter));
        written.push('}');
        written.push_str(rest);
    }
    written
}

/// The value of a path's parameter, counted from 0. It is read from the address as it was sent, since the router decodes in part.
pub(super) fn value(path: &str, sent: &str, index: usize) -> Option<String> {
    // Without the patterns of parameters, which may hold slashes.
    let (path, _) = in_words(path);
    let of_parameter = |segment: &&str| segment.contains('{');
    let at = path
        .split('/')
        .enumerate()
        .filter(|(_, segment)| of_parameter(segment))
        .nth(index)?;
    let (position, segment) = at;
    let (before, rest) = segment.split_once('{')?;
    let (_, after) = rest.rsplit_once('}')?;
    let raw = sent.split('/').nth(position)?;
    decode(raw.strip_prefix(before)?.strip_suffix(after)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_hold_no_colon_unless_they_say_so() {
        assert_eq!(
            pattern("/v1/a/{kind}/{key}:seal"),
            "/v1/a/{kind:[^/:]+}/{key:[^/:]+}:seal"
        );
        assert_eq!(
            pattern("/v1/u/{subject:[^/]+}/x"),
            "/v1/u/{subject:[^/]+}/x"
        );
        assert_eq!(
            in_words("/v1/u/{subject:[^/]+}/x"),
            ("/v1/u/{subject}/x".to_owned(), vec!["subject".to_owned()])
        );
    }

    #[test]
    fn a_parameter_is_decoded_once_and_without_the_verb_behind_it() {
        let path = "/v1/a/{kind}/{key}:seal";
        let sent = "/v1/a/snippet/a%2541%2Fb:seal";
        assert_eq!(value(path, sent, 0).as_deref(), Some("snippet"));
        assert_eq!(value(path, sent, 1).as_deref(), Some("a%41/b"));
        assert_eq!(value(path, sent, 2), None);
        assert_eq!(value(path, "/v1/a/snippet/%FF:seal", 1), None);
        let path = "/v1/u/{subject:[^/]+}:export";
        let sent = "/v1/u/a%2Fb:c:export";
        assert_eq!(value(path, sent, 0).as_deref(), Some("a/b:c"));
        let path = "/v1/t/{tenant:[^/]+}/start";
        assert_eq!(value(path, "/v1/t/acme/start", 0).as_deref(), Some("acme"));
    }

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
