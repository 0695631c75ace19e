//! Inline tools of a persona.

use serde_json::json;

use super::Definitions;
use super::settings::id;
use super::words::{Schema, object};
use crate::domain::tool::{self, references};

/// `tool`: one form a type.
pub(super) fn definitions() -> Definitions {
    let forms = [client(), system(), webhook(), knowledge()];
    vec![(
        "tool",
        Schema::one_of(
            "A tool that the LLM may call: on the page (client), at Anam (system), or at a server.",
            forms,
        ),
    )]
}

fn client() -> Schema {
    object(
        "A tool that the page runs.",
        vec![
            ("type", constant("client")),
            ("name", name()),
            ("description", description()),
            ("parameters", parameters("What the tool is called with")),
            (
                "awaitResult",
                Schema::flag("Whether the persona waits for what the page answers."),
            ),
            (
                "toolTimeoutSeconds",
                Schema::whole("How long it waits, in seconds.", tool::TIMEOUT_SECONDS),
            ),
        ],
    )
    .required(["type", "name"])
}

fn system() -> Schema {
    object(
        "A tool of Anam's own.",
        vec![
            ("type", constant("system")),
            ("name", Schema::choice("Which.", tool::SYSTEM_TOOLS)),
        ],
    )
    .required(["type", "name"])
}

fn webhook() -> Schema {
    object(
        "A tool that Anam's servers call at yours.",
        vec![
            ("type", constant("server")),
            ("subtype", constant("webhook")),
            ("name", name()),
            ("description", description()),
            ("method", Schema::choice("How it is called.", tool::METHODS)),
            (
                "url",
                Schema::text("What is called. ${secret:name} stands for a secret of the tenant, in the path and the query.")
                    .chars(0..=tool::MAX_URL_BYTES)
                    .pattern(r"^https://[!-\[\]-~]+$")
                    .also(json!({ "pattern": references::WELL_SPELLED }))
                    .examples([json!("https://api.acme.example/tickets")]),
            ),
            (
                "headers",
                Schema::anything(
                    "Headers that are sent along. ${secret:name} stands for a secret of the tenant.",
                )
                .with("maxProperties", tool::MAX_HEADERS)
                .with(
                    "propertyNames",
                    json!({ "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "maxLength": tool::MAX_HEADER_BYTES }),
                )
                .with(
                    "additionalProperties",
                    json!({
                        "type": "string", "maxLength": tool::MAX_HEADER_BYTES, "pattern": references::WELL_SPELLED,
                        "allOf": [{ "pattern": "^[^\\u0000-\\u0008\\u000a-\\u001f\\u007f-\\u009f]*$" }],
                    }),
                )
                .examples([json!({ "Authorization": "Bearer ${secret:crm-token}" })]),
            ),
            ("parameters", parameters("The body")),
            ("queryParameters", parameters("The query")),
            (
                "awaitResponse",
                Schema::flag("Whether the persona waits for the answer."),
            ),
            (
                "disableInterruptions",
                Schema::flag("Whether the user can't interrupt meanwhile."),
            ),
        ],
    )
    .required(["type", "subtype", "name", "method", "url"])
}

fn knowledge() -> Schema {
    object(
        "A tool that searches documents kept at Anam.",
        vec![
            ("type", constant("server")),
            ("subtype", constant("knowledge")),
            ("name", name()),
            ("description", description()),
            (
                "documentFolderIds",
                Schema::list("Where it searches.", id("A folder: its UUID at Anam."))
                    .with("minItems", 1),
            ),
        ],
    )
    .required(["type", "subtype", "name", "documentFolderIds"])
}

fn constant(value: &str) -> Schema {
    Schema::raw(json!({ "const": value }))
}

fn name() -> Schema {
    let most = tool::MAX_NAME_CHARS;
    Schema::text("What the LLM calls it.")
        .pattern(format!("^[A-Za-z0-9_.-]{{1,{most}}}$"))
        .examples([json!("show_page")])
}

fn description() -> Schema {
    Schema::text("When and for what the LLM should use it.").chars(0..=tool::MAX_DESCRIPTION_CHARS)
}

fn parameters(what: &str) -> Schema {
    let bytes = tool::MAX_SCHEMA_BYTES;
    Schema::anything(&format!(
        "{what}, as a JSON Schema of {bytes} bytes at most."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_that_is_read_stands_in_the_schema() {
        for (schema, members) in [
            (client(), tool::CLIENT_MEMBERS.as_slice()),
            (system(), &tool::SYSTEM_MEMBERS),
            (webhook(), &tool::WEBHOOK_MEMBERS),
            (knowledge(), &tool::KNOWLEDGE_MEMBERS),
        ] {
            let value = schema.into_value();
            let named: Vec<&String> = value["properties"].as_object().unwrap().keys().collect();
            assert_eq!(named, members);
        }
    }
}
