//! Inline tools of a persona: the shapes that Anam's cookbook and live servers show.

mod credentials;
pub mod references;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fault::{Fault, Faults, step};
use super::ids::is_uuid_shaped;
use super::nearest::nearest;
use super::web_url;
use crate::domain::wrong::Wrong;

pub use credentials::PlainCredential;

/// Anam's limit on `parameters` and `queryParameters`, bytes of UTF-8 JSON.
pub const MAX_SCHEMA_BYTES: usize = 10_000;
/// Anam's limit on a description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 1_024;
/// Longest name, in characters.
pub const MAX_NAME_CHARS: usize = 64;
/// Longest address of a webhook, in bytes.
pub const MAX_URL_BYTES: usize = 2_000;
/// Most headers of a webhook.
pub const MAX_HEADERS: usize = 50;
/// Longest name and longest value of a webhook's header, in bytes.
pub const MAX_HEADER_BYTES: usize = 8_000;
/// A member's name is misspelt if it is no further from another.
const MAX_EDITS: usize = 2;
/// `toolTimeoutSeconds`.
pub const TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=600;
/// What a webhook is called with.
pub const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];
/// What the `system` tools are called.
pub const SYSTEM_TOOLS: [&str; 3] = ["change_language", "skip_turn", "end_call"];
/// Members of a `client` tool.
pub const CLIENT_MEMBERS: [&str; 6] = [
    "type",
    "name",
    "description",
    "parameters",
    "awaitResult",
    "toolTimeoutSeconds",
];
/// Members of a `server` tool with subtype `webhook`.
pub const WEBHOOK_MEMBERS: [&str; 11] = [
    "type",
    "subtype",
    "name",
    "description",
    "method",
    "url",
    "headers",
    "parameters",
    "queryParameters",
    "awaitResponse",
    "disableInterruptions",
];
/// Members of a `server` tool with subtype `knowledge`.
pub const KNOWLEDGE_MEMBERS: [&str; 5] = [
    "type",
    "subtype",
    "name",
    "description",
    "documentFolderIds",
];
/// Members of a `system` tool.
pub const SYSTEM_MEMBERS: [&str; 2] = ["type", "name"];

/// One inline tool. Its shape depends on `type` (and `subtype`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tool(pub Map<String, Value>);

impl Tool {
    /// What the LLM and the page call it.
    pub fn name(&self) -> Option<&str> {
        text(&self.0, "name")
    }

    /// Everything wrong with this tool.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Faults::new();
        let tool = &self.0;
        let kind = (text(tool, "type"), text(tool, "subtype"));
        let members: &[&str] = match kind {
            (Some("client"), None) => &CLIENT_MEMBERS,
            (Some("server"), Some("webhook")) => &WEBHOOK_MEMBERS,
            (Some("server"), Some("knowledge")) => &KNOWLEDGE_MEMBERS,
            (Some("system"), None) => &SYSTEM_MEMBERS,
            _ => {
                let kinds = ["client", "system", "server/webhook", "server/knowledge"];
                faults.add(
                    "/type",
                    Wrong::one_of(&kinds).worded(
                        "must be client, system, or server with subtype webhook or knowledge",
                    ),
                );
                return faults.into_vec();
            }
        };
        for name in tool.keys().filter(|name| !members.contains(&name.as_str())) {
            let known = members.join(", ");
            let text = match nearest(name, members.iter().copied(), MAX_EDITS) {
                Some(near) => format!("is unknown; did you mean {near}? Known are {known}"),
                None => format!("is unknown; a tool of this type has {known}"),
            };
            faults.add(step(name), Wrong::Unknown(known).worded(text));
        }
        check_name(tool, kind.0 == Some("system"), &mut faults);
        let is_short = |words: &Value| {
            words
                .as_str()
                .is_some_and(|words| words.chars().count() <= MAX_DESCRIPTION_CHARS)
        };
        if !tool.get("description").is_none_or(is_short) {
            faults.add(
                "/description",
                Wrong::Length {
                    least: 0,
                    most: 1024,
                }
                .worded("must be a text of 1024 characters at most"),
            );
        }
        for flag in ["awaitResult", "awaitResponse", "disableInterruptions"] {
            if !tool.get(flag).is_none_or(Value::is_boolean) {
                faults.add(step(flag), Wrong::Flag);
            }
        }
        for schema in ["parameters", "queryParameters"] {
            match tool.get(schema) {
                None => {}
                Some(value @ Value::Object(_)) if value.to_string().len() <= MAX_SCHEMA_BYTES => {}
                Some(_) => faults.add(
                    step(schema),
                    Wrong::SchemaObject {
                        most: MAX_SCHEMA_BYTES,
                    },
                ),
            }
        }
        references::check(tool, &mut faults);
        match kind {
            (_, Some("webhook")) => check_webhook(tool, &mut faults),
            (_, Some("knowledge")) => check_knowledge(tool, &mut faults),
            _ => {}
        }
        if let Some(seconds) = tool.get("toolTimeoutSeconds")
            && !seconds
                .as_u64()
                .is_some_and(|s| TIMEOUT_SECONDS.contains(&s))
        {
            faults.add("/toolTimeoutSeconds", Wrong::range(1, 600));
        }
        faults.into_vec()
    }
}

fn is_webhook(tool: &Map<String, Value>) -> bool {
    (text(tool, "type"), text(tool, "subtype")) == (Some("server"), Some("webhook"))
}

fn text<'a>(tool: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    tool.get(name).and_then(Value::as_str)
}

fn check_name(tool: &Map<String, Value>, system: bool, faults: &mut Faults) {
    let name = text(tool, "name").unwrap_or_default();
    let spelled_well = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if name.is_empty() || name.len() > MAX_NAME_CHARS || !spelled_well {
        faults.add(
            "/name",
            Wrong::ToolName {
                most: MAX_NAME_CHARS,
            },
        );
    } else if system && !SYSTEM_TOOLS.contains(&name) {
        faults.add(
            "/name",
            Wrong::one_of(&SYSTEM_TOOLS)
                .worded("a system tool is change_language, skip_turn or end_call"),
        );
    }
}

fn check_webhook(tool: &Map<String, Value>, faults: &mut Faults) {
    let url = text(tool, "url").unwrap_or_default();
    if !url.starts_with("https://") || url.len() > MAX_URL_BYTES {
        faults.add(
            "/url",
            Wrong::HttpsUrl {
                most: MAX_URL_BYTES,
            },
        );
    } else if let Some(Err(fault)) = references::without(url).map(|url| web_url::parse(&url)) {
        faults.add("/url", fault.to_words());
    }
    if !text(tool, "method").is_some_and(|method| METHODS.contains(&method)) {
        faults.add(
            "/method",
            Wrong::one_of(&METHODS).worded("must be GET, POST, PUT, DELETE or PATCH"),
        );
    }
    match tool.get("headers") {
        None => {}
        Some(Value::Object(headers)) => check_headers(headers, faults),
        Some(_) => faults.add(
            "/headers",
            Wrong::Object.worded("must be an object of strings"),
        ),
    }
}

/// One that holds a line end would say more than one header.
fn check_headers(headers: &Map<String, Value>, faults: &mut Faults) {
    if headers.len() > MAX_HEADERS {
        let most = Wrong::AtMost(MAX_HEADERS.to_string());
        faults.add(
            "/headers",
            most.worded(format!("must be {MAX_HEADERS} at most")),
        );
    }
    for (name, value) in headers {
        if references::may_hold_one(name) {
            // Told already.
            continue;
        }
        let at = || format!("/headers{}", step(name));
        let is_name = !name.is_empty()
            && name.len() <= MAX_HEADER_BYTES
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if !is_name {
            faults.add(at(), Wrong::HeaderName);
        }
        let is_value = value.as_str().is_some_and(|value| {
            value.len() <= MAX_HEADER_BYTES
                && !value.contains(|c: char| c.is_control() && c != '\t')
        });
        if !is_value {
            faults.add(
                at(),
                Wrong::HeaderValue {
                    most: MAX_HEADER_BYTES,
                },
            );
        }
    }
}

fn check_knowledge(tool: &Map<String, Value>, faults: &mut Faults) {
    let ids = tool.get("documentFolderIds").and_then(Value::as_array);
    let good = ids.is_some_and(|ids| {
        !ids.is_empty() && ids.iter().all(|id| id.as_str().is_some_and(is_uuid_shaped))
    });
    if !good {
        faults.add("/documentFolderIds", Wrong::Folders);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "written in place")]
    fn faults(url: &str, headers: Value) -> Vec<String> {
        let tool = json!({
            "type": "server", "subtype": "webhook", "name": "x", "method": "GET", "url": url, "headers": headers,
        });
        let faults = Tool(tool.as_object().unwrap().clone()).check();
        faults.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn a_webhooks_address_is_called_as_it_is_written_or_refused() {
        for good in [
            "https://hooks.example.com/orders?limit=20&of=${secret:crm}",
            "https://hooks.example.com:8443/customers/{id}",
            "https://xn--bcher-kva.example/",
        ] {
            assert_eq!(faults(good, json!({})), [""; 0], "{good}");
        }
        for bad in [
            "https://",
            "https:// hooks.example.com/",
            "https://hooks.example.com/a\r\nX-Evil: 1",
            "https://hooks.example.com\\@evil.example/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::ffff:127.0.0.1]/",
            "https://127.0.0.1./",
            "https://bücher.example/",
            "https://hooks.example.com/a/../b",
        ] {
            assert_eq!(faults(bad, json!({})), ["/url"], "{bad}");
        }
    }

    #[test]
    fn a_webhooks_header_is_one_header() {
        let url = "https://hooks.example.com/";
        let good = json!({ "X-Team": "support", "Accept": "text/html; q=0.5,\t*/*", "X-Who": "Jürgen ${secret:crm}" });
        assert_eq!(faults(url, good), [""; 0]);
        for (headers, at) in [
            (json!({ "X-A": "b\r\nX-Evil: 1" }), "/headers/X-A"),
            (json!({ "X-A": "b\0" }), "/headers/X-A"),
            (
                json!({ "X-A": "x".repeat(MAX_HEADER_BYTES + 1) }),
                "/headers/X-A",
            ),
            (json!({ "X-A": 1 }), "/headers/X-A"),
            (json!({ "X A": "b" }), "/headers/X A"),
            (json!({ "": "b" }), "/headers/"),
            (json!({ "X-A:": "b" }), "/headers/X-A:"),
        ] {
            assert_eq!(faults(url, headers.clone()), [at], "{headers}");
        }
        let many: Map<String, Value> = (0..=MAX_HEADERS)
            .map(|at| (format!("X-{at}"), json!("b")))
            .collect();
        assert_eq!(faults(url, Value::Object(many)), ["/headers"]);
    }
}
