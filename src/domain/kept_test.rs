//! Tests that are kept with a document: a user, a situation, and what must come out of it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::fault::{Fault, Faults, step};
use super::key::Key;
use super::request::{Metadata, MintRequest};
use super::sample_user::SampleUser;
use super::text;
use crate::domain::wrong::Wrong;

/// The member of a document that holds its tests.
pub const MEMBER: &str = "tests";
/// Most tests of a document.
pub const MAX_TESTS: usize = 50;
/// The longest name of a test, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// The longest name of a context that a test asks for, in characters.
pub const MAX_CONTEXT_CHARS: usize = 64;
/// All tests of a document together, in bytes of JSON.
const MAX_BYTES: usize = 64 * 1024;
/// Most fields that a test looks at.
pub const MAX_FIELDS: usize = 50;
/// Most texts that a test looks for, and as many that must be missing.
pub const MAX_TEXTS: usize = 20;
/// The longest of these texts, and of pointers, in characters.
pub const MAX_TEXT_CHARS: usize = 500;
/// The longest prompt that there can be, in characters.
pub const MAX_PROMPT_CHARS: usize = 32_000;

#[derive(Debug, Clone, PartialEq)]
pub struct KeptTest {
    /// What people call it; unique in its document.
    pub name: String,
    pub user: TestUser,
    /// For which situation; `None` means the tenant's `default`, in a context's own tests that context.
    pub context: Option<String>,
    /// What the page sends along.
    pub metadata: Metadata,
    /// When; `None` means the moment of the run.
    pub at: Option<DateTime<Utc>>,
    /// What must come out.
    pub expect: Expectation,
}

/// Who asks in a test or a preview.
#[derive(Debug, Clone, PartialEq)]
pub enum TestUser {
    /// A saved one, by its key.
    Sample(Key),
    Typed(SampleUser),
}

/// What a test expects of the decision. At least one of these.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expectation {
    pub persona: Option<Key>,
    /// RFC 6901 pointers into Anam's `personaConfig`, where `/sessionOptions` stands too, and the values there; null for
    /// what is not sent.
    pub fields: Vec<(String, Value)>,
    /// Parts of the rendered prompt.
    pub prompt_contains: Vec<String>,
    /// Texts that the rendered prompt must not hold.
    pub prompt_lacks: Vec<String>,
    /// The longest prompt, in characters.
    pub prompt_max_chars: Option<usize>,
}

impl TestUser {
    /// Reads `{"sample": key}` or the members of a [`SampleUser`].
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let Value::Object(members) = value else {
            return Err(vec![Fault::new("", Wrong::TestUser)]);
        };
        match members.get("sample") {
            None => SampleUser::parse(members).map(Self::Typed),
            Some(_) if members.len() > 1 => Err(vec![Fault::new(
                "",
                Wrong::TestUser
                    .worded("takes a sample user, or subject, facts and preferences, not both"),
            )]),
            Some(key) => match key.as_str().map(Key::parse) {
                Some(Ok(key)) => Ok(Self::Sample(key)),
                _ => Err(vec![Fault::new(
                    "/sample",
                    Wrong::Key.worded("must be the key of a sample user"),
                )]),
            },
        }
    }
}

/// The tests of a document; none where it has no such member. Pointers start at the document.
pub fn parse(document: &Map<String, Value>) -> Result<Vec<KeptTest>, Vec<Fault>> {
    let at = step(MEMBER);
    let tests = match document.get(MEMBER) {
        None => return Ok(Vec::new()),
        Some(Value::Array(tests)) if tests.len() <= MAX_TESTS => tests,
        Some(_) => {
            let (least, most) = (0, MAX_TESTS);
            let items = Wrong::Items { least, most };
            let text = format!("must be a list of at most {MAX_TESTS} tests");
            return Err(vec![Fault::new(at, items.worded(text))]);
        }
    };
    let bytes = serde_json::to_vec(tests).map_or(usize::MAX, |text| text.len());
    if bytes > MAX_BYTES {
        let most = Wrong::Bytes { most: MAX_BYTES };
        return Err(vec![Fault::new(
            at,
            most.worded("must be 64 kB of JSON at most"),
        )]);
    }
    let mut faults = Faults::new();
    let mut names = BTreeSet::new();
    let mut read = Vec::with_capacity(tests.len());
    for (index, test) in tests.iter().enumerate() {
        let at = format!("{at}/{index}");
        if let Some(test) = faults.take(&at, KeptTest::parse(test)) {
            if !names.insert(test.name.clone()) {
                let text = "is the name of another test too";
                faults.add(format!("{at}/name"), Wrong::Twice.worded(text));
            }
            read.push(test);
        }
    }
    faults.into_result(read)
}

impl KeptTest {
    fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let Value::Object(members) = value else {
            return Err(vec![Fault::new("", Wrong::Object)]);
        };
        let mut faults = Faults::new();
        let mut read = Self {
            name: String::new(),
            user: TestUser::Typed(SampleUser::default()),
            context: None,
            metadata: Metadata::default(),
            at: None,
            expect: Expectation::default(),
        };
        for (name, value) in members {
            let at = step(name);
            match (name.as_str(), value) {
                ("name", Value::String(text)) => match text::refused_line(text, MAX_NAME_CHARS) {
                    None => read.name.clone_from(text),
                    Some(message) => faults.add(at, message),
                },
                ("name", _) => faults.add(
                    at,
                    Wrong::Line {
                        most: MAX_NAME_CHARS,
                    },
                ),
                ("user", user) => {
                    if let Some(user) = faults.take(&at, TestUser::parse(user)) {
                        read.user = user;
                    }
                }
                ("context", Value::String(text)) => {
                    match text::refused_line(text, MAX_CONTEXT_CHARS) {
                        None => read.context = Some(text.clone()),
                        Some(message) => faults.add(at, message),
                    }
                }
                ("context", _) => faults.add(
                    at,
                    Wrong::Line {
                        most: MAX_CONTEXT_CHARS,
                    },
                ),
                ("metadata", Value::Object(members)) => read.metadata = members.clone().into(),
                ("at", time) => match time.as_str().map(DateTime::parse_from_rfc3339) {
                    Some(Ok(time)) => read.at = Some(time.to_utc()),
                    _ => faults.add(at, Wrong::Time("2026-11-24T09:00:00Z")),
                },
                ("expect", Value::Object(members)) => {
                    if let Some(expect) = faults.take(&at, Expectation::parse(members)) {
                        read.expect = expect;
                    }
                }
                ("metadata" | "expect", _) => faults.add(at, Wrong::Object),
                _ => faults.add(
                    at,
                    Wrong::Unknown("name, user, context, metadata, at, expect".to_owned()).worded(
                        "is unknown; a test has name, user, context, metadata, at and expect",
                    ),
                ),
            }
        }
        for missing in ["name", "expect"]
            .into_iter()
            .filter(|name| !members.contains_key(*name))
        {
            faults.add(step(missing), Wrong::Missing);
        }
        faults.into_result(read)
    }

    /// The request that the test makes; `own` is the context whose document keeps the test, if it is a context's.
    pub fn request(&self, own: Option<&Key>) -> MintRequest {
        let own = own.map(|key| key.as_str().to_owned());
        MintRequest {
            context: self.context.clone().or(own),
            metadata: self.metadata.clone(),
        }
    }
}

impl Expectation {
    fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new();
        let mut expect = Self::default();
        for (name, value) in members {
            let at = step(name);
            match (name.as_str(), value) {
                ("persona", Value::String(key)) => match Key::parse(key) {
                    Ok(key) => expect.persona = Some(key),
                    Err(bad) => faults.add(at, Wrong::Key.worded(bad.to_string())),
                },
                ("persona", _) => faults.add(at, Wrong::Key.worded("must be a persona's key")),
                ("fields", Value::Object(fields)) if fields.len() <= MAX_FIELDS => {
                    for pointer in fields.keys().filter(|pointer| !is_pointer(pointer)) {
                        faults.add(format!("{at}{}", step(pointer)), Wrong::FieldPointer);
                    }
                    let fields = fields.iter();
                    expect.fields = fields.map(|(at, v)| (at.clone(), v.clone())).collect();
                }
                ("fields", _) => faults.add(
                    at,
                    Wrong::Members { most: MAX_FIELDS }
                        .worded("must be an object of at most 50 JSON pointers"),
                ),
                ("promptContains", value) => {
                    expect.prompt_contains = texts(&at, value, &mut faults);
                }
                ("promptLacks", value) => expect.prompt_lacks = texts(&at, value, &mut faults),
                ("promptMaxChars", value) => {
                    expect.prompt_max_chars = value
                        .as_u64()
                        .and_then(|number| usize::try_from(number).ok())
                        .filter(|number| (1..=MAX_PROMPT_CHARS).contains(number));
                    if expect.prompt_max_chars.is_none() {
                        faults.add(at, Wrong::range(1, MAX_PROMPT_CHARS));
                    }
                }
                _ => faults.add(
                    at,
                    Wrong::Unknown(EXPECTED.to_owned())
                        .worded(format!("is unknown; {EXPECTATIONS}")),
                ),
            }
        }
        if members.is_empty() {
            let nothing = Wrong::ExpectsNothing(EXPECTED);
            faults.add(
                "",
                nothing.worded(format!("expects nothing; {EXPECTATIONS}")),
            );
        }
        faults.into_result(expect)
    }
}

const EXPECTED: &str = "persona, fields, promptContains, promptLacks, promptMaxChars";

const EXPECTATIONS: &str =
    "a test expects persona, fields, promptContains, promptLacks or promptMaxChars";

fn is_pointer(text: &str) -> bool {
    let escaped_well = text
        .split('~')
        .skip(1)
        .all(|rest| rest.starts_with(['0', '1']));
    text.starts_with('/') && escaped_well && text.chars().count() <= MAX_TEXT_CHARS
}

fn texts(at: &str, value: &Value, faults: &mut Faults) -> Vec<String> {
    let message = "must be a list of at most 20 texts of 1 to 500 characters";
    let items = match value {
        Value::Array(items) if items.len() <= MAX_TEXTS => items,
        _ => {
            let (least, most) = (0, MAX_TEXTS);
            faults.add(at, Wrong::Items { least, most }.worded(message));
            return Vec::new();
        }
    };
    let mut texts = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let fits = |text: &&str| (1..=MAX_TEXT_CHARS).contains(&text.chars().count());
        if let Some(text) = item.as_str().filter(fits) {
            texts.push(text.to_owned());
        } else {
            let (least, most) = (1, MAX_TEXT_CHARS);
            let length = Wrong::Length { least, most };
            faults.add(format!("{at}/{index}"), length.worded(message));
        }
    }
    texts
}

#[cfg(test)]
mod tests;
