//! Personas and snippets.

use serde_json::json;

use super::Definitions;
use super::settings::{agreements, members};
use super::words::{Schema, object};
use crate::domain::key::Key;
use crate::domain::preferences::Standard;
use crate::domain::template::TemplateKind;

/// `key`, `snippet` and `persona`.
pub(super) fn definitions() -> Definitions {
    vec![
        ("key", key()),
        ("snippet", snippet()),
        ("persona", agreements(persona())),
    ]
}

fn key() -> Schema {
    Schema::text("A key: 1 to 64 of a-z, 0-9, - and _, a letter or digit first.")
        .pattern(format!("^[a-z0-9][a-z0-9_-]{{0,{}}}$", Key::MAX_CHARS - 1))
}

/// A template's source. (Its limit counts bytes: a text with longer characters may be refused all the same.)
fn template(about: &str, kind: TemplateKind) -> Schema {
    Schema::text(about).chars(0..=kind.max_source_bytes())
}

fn snippet() -> Schema {
    let content = snippet_members();
    let versions = Schema::anything("Older versions that personas of this bundle pin, by number; export writes them. Without text beside them, the snippet itself is not live.")
        .with("propertyNames", json!({ "pattern": "^[1-9][0-9]{0,9}$" }))
        .with(
            "additionalProperties",
            object("An older version.", content.clone()).required(["text"]),
        )
        .examples([json!({ "3": { "text": "Be kind." } })]);
    object(
        "A piece of prompt text.",
        [content, vec![("versions", versions)]].concat(),
    )
    .with(
        "anyOf",
        json!([{ "required": ["text"] }, { "required": ["versions"], "maxProperties": 1 }]),
    )
}

fn snippet_members() -> Vec<(&'static str, Schema)> {
    vec![
        (
            "text",
            template(
                "A Jinja template; it can't include other snippets.",
                TemplateKind::Snippet,
            )
            .examples([json!("Speak in short sentences. Never ask for passwords.")]),
        ),
        ("tests", Schema::link("keptTests")),
    ]
}

fn overridable() -> (&'static str, Schema) {
    (
        "overridable",
        Schema::list(
            "Fields in which a user's preference wins.",
            Schema::choice("A field.", Standard::overridable()),
        )
        .examples([json!(["avatarId", "voiceId", "languageCode"])]),
    )
}

fn persona() -> Schema {
    let mut all = vec![
        (
            "name",
            template("What the persona is called: a Jinja template of one line.", TemplateKind::Name)
                .examples([json!("Liv, your guide to {{ tenant.name }}")]),
        ),
        (
            "systemPrompt",
            template(
                "Who it is and what it does: a Jinja template. `user.*` are facts of the token, `preferences.*` the user's choices, `metadata.*` what the page sent.",
                TemplateKind::Prompt,
            ),
        ),
        (
            "initialMessage",
            template("What it says first: a Jinja template. Left out, the LLM greets.", TemplateKind::Greeting)
                .examples([json!("Hello {{ preferences.displayName or user.name or 'there' }}!")]),
        ),
        (
            "snippets",
            Schema::anything("Snippet versions pinned by hand; the others are pinned when the version is sealed.")
                .with("propertyNames", Schema::link("key"))
                .with(
                    "additionalProperties",
                    Schema::whole("The number of a version.", 1..=i32::MAX),
                )
                .examples([json!({ "house-rules": 3 })]),
        ),
    ];
    // In the order in which exports write them: whom users may choose differently is behind who it is.
    let (who, how): (Vec<_>, Vec<_>) = members()
        .into_iter()
        .partition(|(name, _)| matches!(*name, "avatarId" | "avatarModel" | "voiceId" | "llmId"));
    all.extend(who);
    all.push(overridable());
    all.extend(how);
    all.push(("tests", Schema::link("keptTests")));
    object(
        "Who can be talked to: texts, Anam's settings, and what users may change.",
        all,
    )
    .required(["name", "systemPrompt"])
}
