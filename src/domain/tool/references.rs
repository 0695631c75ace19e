//! References to a tenant's sealed secrets, `${secret:crm-token}`: in the headers and the URL of a webhook, nowhere else.
//!
//! They are in documents, traces and previews as they are written. Only the body that Anam is sent has the secrets in
//! their places.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Tool, is_webhook, text};
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::key::{BadKey, Key};
use crate::domain::wrong::Wrong;

/// How a reference begins; it ends with `}`.
const OPENING: &str = "${secret:";
/// Most references in all tools of a persona, so that no body for Anam grows beyond reason.
pub const MAX_REFERENCES: usize = 50;
/// A text in which every reference is spelled well, as a regular expression.
pub const WELL_SPELLED: &str =
    r"^(?:(?!\$\{secret:)[\s\S]|\$\{secret:[a-z0-9][a-z0-9_-]{0,63}\})*$";

/// A piece of a text that may hold references.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Secret(Key),
}

/// The pieces of a text, in order. `Err` says how a reference is written.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Wrong> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPENING) {
        let name = after.split_once('}');
        let (name, after) = name.ok_or(Wrong::SecretUnclosed)?;
        let name = Key::parse(name).map_err(|BadKey| Wrong::SecretSpelled)?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Secret(name));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// Whether a text has what begins a reference.
pub(super) fn may_hold_one(text: &str) -> bool {
    text.contains(OPENING)
}

/// A URL with a letter in the place of every reference, and of the braces of a place that a webhook fills: what is left must be
/// a URL. `None` where a reference is spelled wrongly.
pub(super) fn without(url: &str) -> Option<String> {
    let pieces = pieces(url).ok()?.into_iter();
    let texts = pieces.map(|piece| match piece {
        Piece::Text(text) => text.replace(['{', '}'], "x"),
        Piece::Secret(_) => "x".to_owned(),
    });
    Some(texts.collect())
}

impl Tool {
    /// Each reference with its place in the tool, in order of their places.
    pub fn references(&self) -> Vec<(String, Key)> {
        let mut found = Vec::new();
        for (at, text) in places(&self.0) {
            let secrets = pieces(text).unwrap_or_default().into_iter();
            found.extend(secrets.filter_map(|piece| match piece {
                Piece::Secret(name) => Some((at.clone(), name)),
                Piece::Text(_) => None,
            }));
        }
        found
    }

    /// The tool with every secret in its place: as it is in a header, percent-encoded in the URL, so that none can say more
    /// than its place does. `Err` names one that `secret` does not give.
    pub fn revealed<'s>(&self, secret: &impl Fn(&Key) -> Option<&'s str>) -> Result<Self, Key> {
        let mut tool = self.0.clone();
        if !is_webhook(&tool) {
            return Ok(Self(tool));
        }
        if let Some(Value::String(url)) = tool.get_mut("url") {
            *url = filled(url, secret, percent_encoded)?;
        }
        if let Some(Value::Object(headers)) = tool.get_mut("headers") {
            for value in headers.values_mut() {
                if let Value::String(text) = value {
                    *text = filled(text, secret, str::to_owned)?;
                }
            }
        }
        Ok(Self(tool))
    }
}

fn filled<'s>(
    text: &str,
    secret: &impl Fn(&Key) -> Option<&'s str>,
    written: impl Fn(&str) -> String,
) -> Result<String, Key> {
    let Ok(pieces) = pieces(text) else {
        return Ok(text.to_owned());
    };
    let mut filled = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Secret(name) => match secret(&name) {
                Some(value) => filled.push_str(&written(value)),
                None => return Err(name),
            },
        }
    }
    Ok(filled)
}

/// Everything but RFC 3986's unreserved characters as `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text never fails.
            _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Each reference of a persona's tools with its place in the persona.
pub fn references_of(tools: &[Tool]) -> impl Iterator<Item = (String, Key)> {
    tools.iter().enumerate().flat_map(|(at, tool)| {
        let found = tool.references().into_iter();
        found.map(move |(place, name)| (format!("/tools/{at}{place}"), name))
    })
}

/// The texts of a webhook in which references may stand, with their places.
pub(super) fn places(tool: &Map<String, Value>) -> Vec<(String, &str)> {
    if !is_webhook(tool) {
        return Vec::new();
    }
    let url = text(tool, "url").map(|url| ("/url".to_owned(), url));
    let headers = tool.get("headers").and_then(Value::as_object);
    let headers = headers.into_iter().flatten().filter_map(|(name, value)| {
        let at = format!("/headers{}", step(name));
        Some((at, value.as_str()?))
    });
    url.into_iter().chain(headers).collect()
}

/// What is wrong with the references of a tool.
pub(super) fn check(tool: &Map<String, Value>, faults: &mut Faults) {
    for (at, text) in places(tool) {
        if let Err(message) = pieces(text) {
            faults.add(at, message);
        }
    }
    if is_webhook(tool)
        && let Some(after_scheme) = text(tool, "url").and_then(|url| url.strip_prefix("https://"))
        && let Some(reference) = after_scheme.find(OPENING)
        && after_scheme
            .find(['/', '?', '#'])
            .is_none_or(|host_ends| reference < host_ends)
    {
        faults.add("/url", Wrong::SecretInHost);
    }
    for (name, value) in tool {
        let may_refer = is_webhook(tool) && matches!(name.as_str(), "url" | "headers");
        let names = value.as_object().into_iter().flatten();
        let is_misplaced = if may_refer {
            names.into_iter().any(|(name, _)| name.contains(OPENING))
        } else {
            value.to_string().contains(OPENING)
        };
        if is_misplaced {
            faults.add(step(name), Wrong::SecretMisplaced);
        }
    }
}

/// A fault where the tools of a persona have too many references together.
pub(in crate::domain) fn check_number(tools: &[Tool]) -> Option<Fault> {
    let number: usize = tools.iter().map(|tool| tool.references().len()).sum();
    (number > MAX_REFERENCES).then(|| {
        Fault::new(
            "/tools",
            Wrong::ManySecrets {
                number,
                most: MAX_REFERENCES,
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn webhook(url: &str, headers: &Value) -> Tool {
        let tool = json!({ "type": "server", "subtype": "webhook", "name": "x", "method": "GET", "url": url, "headers": headers });
        Tool(tool.as_object().unwrap().clone())
    }

    fn places_of_faults(tool: &Tool) -> Vec<String> {
        let faults = tool.check().into_iter();
        faults.map(|fault| fault.pointer).collect()
    }

    #[test]
    fn a_secret_comes_into_its_place_and_says_no_more_than_that() {
        let tool = webhook(
            "https://a.example/${secret:path}/x?key=${secret:path}&b=1",
            &json!({ "Authorization": "Bearer ${secret:token}", "X-Both": "${secret:token}.${secret:path}", "Accept": "*/*" }),
        );
        assert_eq!(tool.check(), []);
        let secret = |name: &Key| match name.as_str() {
            "path" => Some("a/b?c=d&e%#"),
            "token" => Some("t-1 2"),
            _ => None,
        };
        let revealed = tool.revealed(&secret).unwrap();
        assert_eq!(
            revealed,
            webhook(
                "https://a.example/a%2Fb%3Fc%3Dd%26e%25%23/x?key=a%2Fb%3Fc%3Dd%26e%25%23&b=1",
                &json!({ "Authorization": "Bearer t-1 2", "X-Both": "t-1 2.a/b?c=d&e%#", "Accept": "*/*" }),
            )
        );
        let missing = tool.revealed(&|_| None).unwrap_err();
        assert_eq!(missing.as_str(), "path");
        let names = tool.references();
        assert_eq!(names.len(), 5);
        assert!(names.contains(&(
            "/headers/Authorization".into(),
            Key::parse("token").unwrap()
        )));
    }

    #[test]
    fn a_secret_that_reads_like_a_reference_is_not_followed() {
        let tool = webhook("https://a.example/", &json!({ "A": "${secret:one}" }));
        let revealed = tool.revealed(&|_| Some("${secret:two}")).unwrap();
        assert_eq!(revealed.0["headers"]["A"], "${secret:two}");
    }

    #[test]
    fn references_stand_in_headers_and_after_the_host_only_and_are_spelled_well() {
        for (url, headers, places) in [
            ("https://a.example/${secret:a", json!({}), vec!["/url"]),
            (
                "https://a.example/",
                json!({ "A": "${secret:}" }),
                vec!["/headers/A"],
            ),
            (
                "https://a.example/",
                json!({ "A~B": "${secret:CRM}" }),
                vec!["/headers/A~0B"],
            ),
            (
                "https://a.example/",
                json!({ "A": "${secret:a b}" }),
                vec!["/headers/A"],
            ),
            (
                "https://a.example/",
                json!({ "A": "${secret: a}" }),
                vec!["/headers/A"],
            ),
            ("https://${secret:a}.example/", json!({}), vec!["/url"]),
            ("https://u:${secret:a}@a.example/", json!({}), vec!["/url"]),
            ("https://${secret:a}", json!({}), vec!["/url"]),
            (
                "https://a.example/",
                json!({ "${secret:a}": "x" }),
                vec!["/headers"],
            ),
        ] {
            let tool = webhook(url, &headers);
            assert_eq!(places_of_faults(&tool), places, "{url} {headers}");
        }
        for member in ["description", "parameters", "queryParameters"] {
            let mut tool = webhook("https://a.example/", &json!({}));
            let text = Value::from("say ${secret:a}");
            let value = if member == "description" {
                text
            } else {
                json!({ "default": text })
            };
            tool.0.insert(member.into(), value);
            assert_eq!(places_of_faults(&tool), [format!("/{member}")]);
        }
        let client = json!({ "type": "client", "name": "x", "description": "${secret:a}" });
        let client = Tool(client.as_object().unwrap().clone());
        assert_eq!(places_of_faults(&client), ["/description"]);
    }

    #[test]
    fn a_persona_has_so_many_references_at_most() {
        let text = "${secret:a}".repeat(MAX_REFERENCES);
        let full = webhook("https://a.example/", &json!({ "A": text }));
        assert_eq!(check_number(std::slice::from_ref(&full)), None);
        let more = webhook("https://a.example/${secret:a}", &json!({}));
        assert!(check_number(&[full, more]).is_some());
    }

    proptest! {
        #[test]
        fn the_schema_and_the_parser_know_the_same_spelling(
            text in "(\\$|\\{|\\}|secret|:|\\$\\{secret:|[a-zA-Z0-9_ -]|\\n|\u{e9}){0,12}"
        ) {
            let pattern = regex_of(WELL_SPELLED);
            prop_assert_eq!(pattern.is_valid(&json!(text)), pieces(&text).is_ok(), "{:?}", text);
        }

        #[test]
        fn pieces_say_the_text_again(text in "(\\$\\{secret:[a-z]\\}|[a-z$]){0,9}") {
            let again: String = pieces(&text).unwrap().into_iter().map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Secret(name) => format!("{OPENING}{name}}}"),
            }).collect();
            prop_assert_eq!(again, text);
        }
    }

    fn regex_of(pattern: &str) -> jsonschema::Validator {
        jsonschema::draft202012::new(&json!({ "pattern": pattern })).unwrap()
    }
}
