//! Inline tools: what a tool may carry depends on its `type` and `subtype`.

use serde_json::Value;

use super::Findings;
use super::rule::{Rule, check as check_rule, optional, required};

const DESCRIPTION: Rule = Rule::Text(1024);

const CLIENT: Rule = Rule::Shape(&[
    required("type", Rule::OneOf(&["client"])),
    required("name", Rule::ToolName),
    optional("description", DESCRIPTION),
    optional("parameters", Rule::Schema),
    optional("awaitResult", Rule::Flag),
    optional("toolTimeoutSeconds", Rule::Number(1.0, 600.0)),
    optional("disableInterruptions", Rule::Flag),
]);

const WEBHOOK: Rule = Rule::Shape(&[
    required("type", Rule::OneOf(&["server"])),
    required("subtype", Rule::OneOf(&["webhook"])),
    required("name", Rule::ToolName),
    optional("description", DESCRIPTION),
    required("url", Rule::HttpUrl),
    required(
        "method",
        Rule::OneOf(&["GET", "POST", "PUT", "DELETE", "PATCH"]),
    ),
    optional("headers", Rule::Strings),
    optional("parameters", Rule::Schema),
    optional("queryParameters", Rule::Schema),
    optional("awaitResponse", Rule::Flag),
    optional("disableInterruptions", Rule::Flag),
]);

const KNOWLEDGE: Rule = Rule::Shape(&[
    required("type", Rule::OneOf(&["server"])),
    required("subtype", Rule::OneOf(&["knowledge"])),
    required("name", Rule::ToolName),
    optional("description", DESCRIPTION),
    required("documentFolderIds", Rule::Items(&Rule::Id)),
    optional("disableInterruptions", Rule::Flag),
]);

const SYSTEM: Rule = Rule::Shape(&[
    required("type", Rule::OneOf(&["system"])),
    required(
        "name",
        Rule::OneOf(&["change_language", "skip_turn", "end_call"]),
    ),
    optional("description", DESCRIPTION),
    optional("disableInterruptions", Rule::Flag),
]);

/// Notes what is wrong with one inline tool.
pub(super) fn check(at: &str, tool: &Value, findings: &mut Findings) {
    let member = |name| tool.get(name).and_then(Value::as_str);
    let rule = match (member("type"), member("subtype")) {
        (Some("client"), _) => &CLIENT,
        (Some("system"), _) => &SYSTEM,
        (Some("server"), Some("webhook")) => &WEBHOOK,
        (Some("server"), Some("knowledge")) => &KNOWLEDGE,
        (Some("server"), _) => {
            findings.add(&format!("{at}.subtype"), "must be webhook or knowledge");
            return;
        }
        _ => {
            findings.add(&format!("{at}.type"), "must be client, server or system");
            return;
        }
    };
    check_rule(rule, at, tool, findings);
}
