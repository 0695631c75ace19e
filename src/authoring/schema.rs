//! The JSON Schema of bundles, by which editors complete and check them.
//!
//! Limits and names come from the parsers' own constants and types. What JSON Schema can't say (templates, sums over
//! several members, what the database knows) is left to [`super::bundle::Bundle::parse`]: the schema refuses nothing
//! that it takes.

mod access;
mod catalogue;
mod contexts;
mod kept_tests;
mod personas;
mod policy;
mod settings;
mod tools;
mod words;

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use self::words::{Schema, map, object};
use super::bundle::MAX_NAME_CHARS;
use crate::domain::key::MAX_SLUG_CHARS;

/// The schema (JSON Schema 2020-12), as pretty JSON that ends with a line break.
pub fn document() -> String {
    format!("{:#}\n", schema())
}

pub fn schema() -> Value {
    let bundle = object(
        "A whole tenant of the persona gateway as one file. A section that is absent is left as it is.",
        vec![
            (
                "$schema",
                Schema::text("Where an editor finds this schema; the gateway passes it over."),
            ),
            (
                "tenant",
                Schema::text("The tenant's name in addresses and files.")
                    .pattern(format!("^[a-z0-9][a-z0-9-]{{0,{}}}$", MAX_SLUG_CHARS - 1))
                    .examples([json!("acme")]),
            ),
            (
                "name",
                Schema::text("The tenant's name for people, and for prompts: {{ tenant.name }}.")
                    .chars(1..=MAX_NAME_CHARS)
                    .examples([json!("Acme")]),
            ),
            ("policy", Schema::link("policy")),
            (
                "issuers",
                Schema::list("Who signs the users' JWTs. An (issuer, audience) pair belongs to one tenant.", Schema::link("issuer")),
            ),
            (
                "providerKey",
                Schema::link("secretReference").about(
                    "The tenant's own Anam API key, by reference; without it the platform's is used.",
                ),
            ),
            (
                "secrets",
                map(
                    "Secrets that webhook tools refer to as ${secret:name}, by name: each by reference.",
                    "key",
                    Schema::link("secretReference"),
                ),
            ),
            ("catalogue", Schema::link("catalogue")),
            (
                "snippets",
                map(
                    "Pieces of prompt text, by key. Prompts include them as {{ snippets[\"key\"] }}.",
                    "key",
                    Schema::link("snippet"),
                ),
            ),
            (
                "personas",
                map("Who can be talked to, by key.", "key", Schema::link("persona")),
            ),
            (
                "contexts",
                map(
                    "Which situations there are, by key, and who answers in each. `default` answers for contexts that do not exist.",
                    "key",
                    Schema::link("context"),
                ),
            ),
            (
                "sampleUsers",
                Schema::link("sampleUsers"),
            ),
        ],
    )
    .required(["tenant"]);
    let mut document = Map::new();
    document.insert(
        "$schema".into(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    document.insert("title".into(), "Bundle of the persona gateway".into());
    document.extend(bundle.into_map());
    let parts = [
        policy::definitions(),
        settings::definitions(),
        tools::definitions(),
        access::definitions(),
        catalogue::definitions(),
        personas::definitions(),
        contexts::definitions(),
        kept_tests::definitions(),
    ];
    let definitions = parts
        .into_iter()
        .flatten()
        .map(|(name, part)| (name.to_owned(), part.into_value()));
    document.insert("$defs".into(), Value::Object(definitions.collect()));
    Value::Object(document)
}

/// The schema of a part of a bundle, by the name under which others link to it (`#/$defs/NAME`).
pub fn part(name: &str) -> Option<Value> {
    static SCHEMA: LazyLock<Value> = LazyLock::new(schema);
    SCHEMA.get("$defs")?.get(name).cloned()
}

/// Schemas that others link to, by name.
type Definitions = Vec<(&'static str, Schema)>;
