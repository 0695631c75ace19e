//! Tests kept with a document, and the users that they ask for.

use serde_json::json;

use super::Definitions;
use super::words::{Schema, object};
use crate::domain::caller::Subject;

/// `keptTests` and their parts.
pub(super) fn definitions() -> Definitions {
    vec![
        (
            "keptTests",
            Schema::list(
                "Tests that are kept and versioned with the document, run when it is validated; one that fails keeps it from being released.",
                Schema::link("keptTest"),
            ),
        ),
        ("keptTest", kept_test()),
        ("sampleUser", sample_user("A user that does not exist.")),
        ("facts", facts()),
        ("choices", choices()),
    ]
}

fn facts() -> Schema {
    Schema::anything("Facts as the issuer's claim map would take them from a token: texts, numbers, flags, lists of texts.")
        .with(
            "additionalProperties",
            json!({
                "type": ["string", "number", "boolean", "array"],
                "items": { "type": "string" },
            }),
        )
        .examples([json!({ "name": "Sam", "plan": "pro", "roles": ["member"] })])
}

fn choices() -> Schema {
    Schema::anything("The user's own choices, as in their preferences.")
        .examples([json!({ "displayName": "Sam", "experience": "expert" })])
}

fn sample_user(about: &str) -> Schema {
    object(
        about,
        vec![
            (
                "subject",
                Schema::text("The `sub`, by which weighted splits draw.")
                    .chars(1..=Subject::MAX_CHARS),
            ),
            ("facts", Schema::link("facts")),
            ("preferences", Schema::link("choices")),
        ],
    )
}

fn kept_test() -> Schema {
    let sample = object(
        "A sample user of the tenant.",
        vec![("sample", Schema::link("key").about("Its key."))],
    )
    .required(["sample"]);
    let texts = |about: &str| Schema::list(about, Schema::raw(json!({ "type": "string" })));
    let expect = object(
        "What must come out.",
        vec![
            ("persona", Schema::link("key").about("The persona that the user gets.")),
            (
                "fields",
                Schema::anything("Values of what Anam would be sent, by RFC 6901 pointers into personaConfig; options of the session under /sessionOptions.")
                    .with("propertyNames", json!({ "pattern": "^(/([^~/]|~[01])*)+$" }))
                    .examples([json!({ "/languageCode": "de" })]),
            ),
            ("promptContains", texts("Texts that the rendered prompt holds.")),
            ("promptLacks", texts("Texts that the rendered prompt does not hold.")),
            (
                "promptMaxChars",
                Schema::raw(json!({ "type": "integer", "minimum": 1 }))
                    .about("Longest rendered prompt, in characters."),
            ),
        ],
    );
    object(
        "One test: a user in a situation, and what must come out.",
        vec![
            (
                "name",
                Schema::text("What it says, as a sentence.").with("minLength", 1),
            ),
            (
                "user",
                Schema::one_of("Who asks.", [sample, sample_user("A user, written out.")]),
            ),
            (
                "context",
                Schema::link("key").about("Which context is asked for."),
            ),
            ("metadata", Schema::anything("What the page sends.")),
            (
                "at",
                Schema::text("When, RFC 3339.")
                    .with("format", "date-time")
                    .examples([json!("2026-11-24T08:30:00Z")]),
            ),
            ("expect", expect),
        ],
    )
    .required(["name", "user", "expect"])
}
