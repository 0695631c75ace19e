//! Inline tools: what a tool may carry depends on its `type` and `subtype`.

use serde_json::Value;

use super::Findings;
use super::rule::{Rule, check as check_rule, may, must};

const DESCRIPTION: Rule = Rule::Text(1024);

const CLIENT: Rule = Rule::Shape(&[
    must("type", Rule::OneOf(&["client"])),
    must("name", Rule::ToolName),
    may("description", DESCRIPTION),
    may("parameters", Rule::Schema),
    may("awaitResult", Rule::Flag),
    may("toolTimeoutSeconds", Rule::Number(1.0, 600.0)),
    may("disableInterruptions", Rule::Flag),
]);

const WEBHOOK: Rule = Rule::Shape(&[
    must("type", Rule::OneOf(&["server"])),
    must("subtype", Rule::OneOf(&["webhook"])),
    must("name", Rule::ToolName),
    may("description", DESCRIPTION),
    must("url", Rule::HttpUrl),
    must(
        "method",
        Rule::OneOf(&["GET", "POST", "PUT", "DELETE", "PATCH"]),
    ),
    may("headers", Rule::Strings),
    may("parameters", Rule::Schema),
    may("queryParameters", Rule::Schema),
    may("awaitResponse", Rule::Flag),
    may("disableInterruptions", Rule::Flag),
]);

const KNOWLEDGE: Rule = Rule::Shape(&[
    must("type", Rule::OneOf(&["server"])),
    must("subtype", Rule::OneOf(&["knowledge"])),
    must("name", Rule::ToolName),
    may("description", DESCRIPTION),
    must("documentFolderIds", Rule::Items(&Rule::Id)),
    may("disableInterruptions", Rule::Flag),
]);

const SYSTEM: Rule = Rule::Shape(&[
    must("type", Rule::OneOf(&["system"])),
    must(
        "name",
        Rule::OneOf(&["change_language", "skip_turn", "end_call"]),
    ),
    may("description", DESCRIPTION),
    may("disableInterruptions", Rule::Flag),
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
