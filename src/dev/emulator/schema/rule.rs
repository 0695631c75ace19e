//! A small schema language: enough for Anam's bodies, with messages that name the path.

use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use super::{Findings, language};

#[derive(Debug)]
pub(super) enum Rule {
    /// A non-empty string of at most this many characters.
    Text(usize),
    /// A UUID of any version.
    Id,
    /// A UUID or one of these words.
    IdOr(&'static [&'static str]),
    Flag,
    Number(f64, f64),
    Whole(u64, u64),
    OneOf(&'static [&'static str]),
    /// An ISO 639-1 code.
    Language,
    /// An `http` or `https` URL.
    HttpUrl,
    /// An object with these members and no others.
    Shape(&'static [Field]),
    /// A non-empty list.
    Items(&'static Rule),
    /// What a function says of it, with its place.
    By(fn(&str, &Value, &mut Findings)),
    ToolName,
    /// A JSON Schema object of at most 10,000 bytes.
    Schema,
    /// An object of strings.
    Strings,
    /// An object with any members.
    Members,
    /// Documented, but never to be sent, for this reason.
    Never(&'static str),
}

/// A member of an object.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) rule: Rule,
}

/// A member that may be left out.
pub(super) const fn optional(name: &'static str, rule: Rule) -> Field {
    Field {
        name,
        required: false,
        rule,
    }
}

/// A member that must be there.
pub(super) const fn required(name: &'static str, rule: Rule) -> Field {
    Field {
        name,
        required: true,
        rule,
    }
}

/// A parameter object may be this large, as UTF-8 JSON.
const LARGEST_SCHEMA: usize = 10_000;

/// Notes everything that is wrong with `value`.
pub(super) fn check(rule: &Rule, at: &str, value: &Value, findings: &mut Findings) {
    if let Rule::Never(reason) = rule {
        findings.add(at, format!("must not be sent: {reason}"));
        return;
    }
    if value.is_null() {
        findings.add(at, "is null; leave the member out instead");
        return;
    }
    if let Err(problem) = fits(rule, at, value, findings) {
        findings.add(at, problem);
    }
}

/// Checks one value; what is wrong inside of it goes straight to the findings.
fn fits(rule: &Rule, at: &str, value: &Value, findings: &mut Findings) -> Result<(), String> {
    match rule {
        Rule::Text(most) => {
            let length = text(value)?.chars().count();
            if length > *most {
                return Err(format!(
                    "has {length} characters, at most {most} are allowed"
                ));
            }
        }
        Rule::Id => uuid(text(value)?)?,
        Rule::IdOr(words) => {
            let text = text(value)?;
            if !words.contains(&text) {
                uuid(text)
                    .map_err(|problem| format!("{problem} and none of {}", words.join(", ")))?;
            }
        }
        Rule::Flag => {
            value.as_bool().ok_or("must be true or false")?;
        }
        Rule::Number(least, most) => {
            let number = value.as_f64().ok_or("must be a number")?;
            if !(*least..=*most).contains(&number) {
                return Err(format!("is {number}, must be from {least} to {most}"));
            }
        }
        Rule::Whole(least, most) => {
            let number = value.as_u64().ok_or("must be a whole number")?;
            if !(*least..=*most).contains(&number) {
                return Err(format!("is {number}, must be from {least} to {most}"));
            }
        }
        Rule::OneOf(words) => {
            let text = text(value)?;
            if !words.contains(&text) {
                return Err(format!("is {text:?}, must be one of {}", words.join(", ")));
            }
        }
        Rule::Language => {
            let code = text(value)?;
            if !language::is_known(code) {
                return Err(format!(
                    "is {code:?}, must be an ISO 639-1 code such as `en`"
                ));
            }
        }
        Rule::HttpUrl => http_url(text(value)?)?,
        Rule::Shape(fields) => shape(fields, at, object(value)?, findings),
        Rule::Items(rule) => {
            let items = value.as_array().ok_or("must be a list")?;
            if items.is_empty() {
                return Err("is empty; leave the member out instead".to_owned());
            }
            for (index, item) in items.iter().enumerate() {
                check(rule, &format!("{at}[{index}]"), item, findings);
            }
        }
        Rule::By(check) => check(at, value, findings),
        Rule::ToolName => tool_name(text(value)?)?,
        Rule::Schema => {
            object(value)?;
            let size = value.to_string().len();
            if size > LARGEST_SCHEMA {
                return Err(format!(
                    "has {size} bytes, at most {LARGEST_SCHEMA} are allowed"
                ));
            }
        }
        Rule::Strings => {
            for (name, member) in object(value)? {
                check(
                    &Rule::Text(usize::MAX),
                    &format!("{at}.{name}"),
                    member,
                    findings,
                );
            }
        }
        Rule::Members => {
            object(value)?;
        }
        Rule::Never(reason) => return Err((*reason).to_owned()),
    }
    Ok(())
}

fn shape(fields: &[Field], at: &str, members: &Map<String, Value>, findings: &mut Findings) {
    for (name, value) in members {
        let at = format!("{at}.{name}");
        match fields.iter().find(|field| field.name == name) {
            Some(field) => check(&field.rule, &at, value, findings),
            None => findings.add(&at, "is unknown"),
        }
    }
    for field in fields.iter().filter(|field| field.required) {
        if !members.contains_key(field.name) {
            findings.add(&format!("{at}.{}", field.name), "is missing");
        }
    }
}

fn text(value: &Value) -> Result<&str, String> {
    match value.as_str() {
        None => Err("must be a string".to_owned()),
        Some("") => Err("is empty; leave the member out instead".to_owned()),
        Some(text) => Ok(text),
    }
}

fn object(value: &Value) -> Result<&Map<String, Value>, String> {
    value
        .as_object()
        .ok_or_else(|| "must be an object".to_owned())
}

fn uuid(text: &str) -> Result<(), String> {
    // Only the hyphenated form of 36 characters: the crate would also take braces and URNs.
    if text.len() == 36 && Uuid::parse_str(text).is_ok() {
        Ok(())
    } else {
        Err(format!("is {text:?}, which is no UUID"))
    }
}

fn http_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("is {text:?}, which is no URL: {error}"))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(())
    } else {
        Err(format!("is {text:?}, must be an http or https URL"))
    }
}

fn tool_name(name: &str) -> Result<(), String> {
    let fits = name.len() <= 64
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-'));
    if fits {
        Ok(())
    } else {
        Err(format!(
            "is {name:?}, must be 1 to 64 of letters, digits, `_`, `.`, `-`"
        ))
    }
}
