//! Tests kept with a document, and the users that they ask for.

use serde_json::json;

use super::Definitions;
use super::words::{CONTROLS, Schema, map, object};
use crate::authoring::bundle::MAX_DESCRIPTION_CHARS;
use crate::domain::caller::Subject;
use crate::domain::issuer::ClaimMap;
use crate::domain::kept_test::{
    MAX_CONTEXT_CHARS, MAX_FIELDS, MAX_NAME_CHARS, MAX_PROMPT_CHARS, MAX_TESTS, MAX_TEXT_CHARS,
    MAX_TEXTS,
};
use crate::domain::sample_user::{MAX_MEMBERS, MAX_PREFERENCE_CHARS};

/// `keptTests`, `sampleUsers` and their parts.
pub(super) fn definitions() -> Definitions {
    let described = vec![(
        "description",
        Schema::text("Who it is, for people.").chars(0..=MAX_DESCRIPTION_CHARS),
    )];
    vec![
        (
            "keptTests",
            Schema::list(
                "Tests that are kept and versioned with the document, run when it is validated; one that fails keeps it from being released.",
                Schema::link("keptTest"),
            )
            .items(0..=MAX_TESTS),
        ),
        ("keptTest", kept_test()),
        ("expectation", expectation()),
        (
            "sampleUsers",
            map(
                "Users whom you made up, by key, for previews and kept tests.",
                "key",
                object("A user whom you made up.", [described, sample_user()].concat()),
            ),
        ),
        ("facts", facts()),
        ("choices", choices()),
    ]
}

fn facts() -> Schema {
    Schema::anything("Facts as the issuer's claim map would take them from a token: texts, numbers, flags, lists of these.")
        .with("maxProperties", MAX_MEMBERS)
        .with("propertyNames", json!({ "pattern": "^[a-z][A-Za-z0-9_]{0,63}$" }))
        .with(
            "additionalProperties",
            json!({
                "type": ["string", "number", "boolean", "array"],
                "maxLength": ClaimMap::MAX_TEXT_CHARS,
                "maxItems": ClaimMap::MAX_LIST_ITEMS,
                "items": { "type": ["string", "number", "boolean"], "maxLength": ClaimMap::MAX_TEXT_CHARS },
            }),
        )
        .examples([json!({ "name": "Sam", "plan": "pro", "roles": ["member"] })])
}

fn choices() -> Schema {
    Schema::anything("The user's own choices, as in their preferences.")
        .with("maxProperties", MAX_MEMBERS)
        .with(
            "propertyNames",
            json!({ "pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$" }),
        )
        .with(
            "additionalProperties",
            json!({
                "type": ["string", "number", "boolean"],
                "minLength": 1,
                "maxLength": MAX_PREFERENCE_CHARS,
            }),
        )
        .examples([json!({ "displayName": "Sam", "experience": "expert" })])
}

fn sample_user() -> Vec<(&'static str, Schema)> {
    vec![
        (
            "subject",
            Schema::text("The `sub`, by which weighted splits draw.")
                .chars(1..=Subject::MAX_CHARS)
                .pattern(format!("^[^{CONTROLS}]*$"))
                .examples([json!("user-1")]),
        ),
        ("facts", Schema::link("facts")),
        ("preferences", Schema::link("choices")),
    ]
}

fn kept_test() -> Schema {
    let sample = object(
        "A sample user of the tenant.",
        vec![("sample", Schema::link("key").about("Its key."))],
    )
    .required(["sample"]);
    let typed = object("A user, written out.", sample_user());
    object(
        "One test: a user in a situation, and what must come out.",
        vec![
            (
                "name",
                Schema::text("What it says, as a sentence. Once in each document.").chars(1..=MAX_NAME_CHARS),
            ),
            ("user", Schema::one_of("Who asks; left out, somebody of whom nothing is known.", [sample, typed])),
            (
                "context",
                Schema::text("Which context is asked for; left out, `default`, or the context that keeps the test.")
                    .chars(1..=MAX_CONTEXT_CHARS),
            ),
            ("metadata", Schema::anything("What the page sends along.")),
            (
                "at",
                Schema::text("When (RFC 3339); left out, the moment of the run.")
                    .with("format", "date-time")
                    .examples([json!("2026-11-24T08:30:00Z")]),
            ),
            ("expect", Schema::link("expectation")),
        ],
    )
    .required(["name", "expect"])
}

fn expectation() -> Schema {
    let texts = |about: &str| {
        let text = Schema::raw(json!({ "type": "string" })).chars(1..=MAX_TEXT_CHARS);
        Schema::list(about, text).items(0..=MAX_TEXTS)
    };
    object(
        "What must come out; at least one of these.",
        vec![
            ("persona", Schema::link("key").about("The persona that the user gets.")),
            (
                "fields",
                Schema::anything("Values of what Anam would be sent, by RFC 6901 pointers into personaConfig, where /sessionOptions stands too; null for what is not sent.")
                    .with("maxProperties", MAX_FIELDS)
                    .with(
                        "propertyNames",
                        json!({ "pattern": "^/([^~]|~[01])*$", "maxLength": MAX_TEXT_CHARS }),
                    )
                    .examples([json!({ "/languageCode": "de", "/sessionOptions/region": "eu" })]),
            ),
            ("promptContains", texts("Texts that the rendered prompt holds.")),
            ("promptLacks", texts("Texts that the rendered prompt does not hold.")),
            (
                "promptMaxChars",
                Schema::whole("Longest rendered prompt, in characters.", 1..=MAX_PROMPT_CHARS),
            ),
        ],
    )
    .with("minProperties", 1)
}
