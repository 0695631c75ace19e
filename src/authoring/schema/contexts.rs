//! Contexts and their rules.

use serde_json::{Value, json};

use super::Definitions;
use super::words::{Schema, object};
use crate::domain::context::{MAX_ALIASES, MAX_DESCRIPTION_CHARS, MAX_RULES};
use crate::domain::names::names_of;
use crate::domain::rules::{
    ARMS, MAX_ATTRIBUTE_CHARS, MAX_CLAUSES, MAX_NAME_CHARS, MAX_VALUES, MAX_WEIGHT, Operator,
    ReadAs, TIME_ATTRIBUTES,
};
use crate::domain::schema;

/// Where a schema says nothing else, it is one of these.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The form of versions, of days and moments, and of the times of a day.
const VERSION: &str = r"^[vV]?[0-9]+(\.[0-9]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$";
const DATE: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$";
const TIME: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$";

/// `context` and its parts.
pub(super) fn definitions() -> Definitions {
    vec![
        ("context", context()),
        ("metadataSchema", metadata_schema()),
        ("rule", rule()),
        ("clause", clause()),
        ("target", target()),
        ("onePersona", one_persona()),
        ("split", split()),
    ]
}

fn persona_key() -> Schema {
    Schema::link("key").about("A persona's key.")
}

fn context() -> Schema {
    object(
        "A situation, and who answers in it.",
        vec![
            (
                "description",
                Schema::text("What the situation is, for people.").chars(0..=MAX_DESCRIPTION_CHARS),
            ),
            (
                "aliases",
                Schema::list("Other names of it.", Schema::link("key")).items(0..=MAX_ALIASES),
            ),
            ("metadata", Schema::link("metadataSchema")),
            (
                "rules",
                Schema::list(
                    "Tried in order: the first whose clauses all hold decides.",
                    Schema::link("rule"),
                )
                .items(0..=MAX_RULES),
            ),
            (
                "default",
                Schema::one_of(
                    "What everybody else gets: a persona's key, {persona: key} or {split: [...]}.",
                    [
                        persona_key(),
                        Schema::link("onePersona"),
                        Schema::link("split"),
                    ],
                ),
            ),
            ("tests", Schema::link("keptTests")),
        ],
    )
    .required(["default"])
}

fn metadata_schema() -> Schema {
    let kilobytes = schema::MAX_BYTES / 1024;
    Schema::anything(&format!(
        "What metadata must look like: a JSON Schema (2020-12 unless it says 2019-09 or draft-07) of up to {kilobytes} kB. $ref may point into the schema only. Left out, any object is taken."
    ))
    .with(
        "if",
        json!({ "properties": { "$schema": { "enum": [DRAFT, format!("{DRAFT}#")] } } }),
    )
    .with("then", json!({ "$ref": DRAFT }))
    .examples([json!({
        "type": "object",
        "additionalProperties": false,
        "properties": { "ticketId": { "type": "string", "maxLength": 20 } },
    })])
}

fn rule() -> Schema {
    object(
        "One rule: when all its clauses hold, its target is what the user gets.",
        vec![
            (
                "name",
                Schema::text("What people call it; shows in traces.").chars(1..=MAX_NAME_CHARS),
            ),
            (
                "when",
                Schema::list("All must hold.", Schema::link("clause")).items(0..=MAX_CLAUSES),
            ),
            ("then", Schema::link("target")),
        ],
    )
    .required(["name", "when", "then"])
}

fn clause() -> Schema {
    let times = TIME_ATTRIBUTES.join("|");
    let attribute = format!(r"^((user|preferences)\.[^.]+|metadata(\.[^.]+)+|time\.({times}))$");
    let when_operator = |operators: &[&str]| json!({ "properties": { "operator": { "enum": operators } }, "required": ["operator"] });
    object(
        "One condition. An absent attribute holds for not_equals, not_contains and is_absent only.",
        vec![
            (
                "attribute",
                Schema::text(
                    "What is looked at: user.NAME (a fact of the token), preferences.NAME, metadata.NAME (as deep as it goes), or the time in the tenant's zone.",
                )
                .chars(0..=MAX_ATTRIBUTE_CHARS)
                .pattern(attribute)
                .examples([
                    json!("user.plan"),
                    json!("metadata.ticket.priority"),
                    json!("time.hour"),
                    json!("time.weekday"),
                    json!("time.date"),
                    json!("time.time"),
                ]),
            ),
            (
                "operator",
                Schema::choice(
                    "How it is compared. Texts compare by code point, so that dates compare in time. between: from the first of two times of a day until before the second, across midnight too.",
                    names_of::<Operator>().iter().copied(),
                ),
            ),
            (
                "as",
                Schema::choice(
                    "What texts are read as: caseless (capital and small letters are the same), version (2.10 comes after 2.9), date (days, moments and seconds since 1970).",
                    names_of::<ReadAs>().iter().copied(),
                ),
            ),
            (
                "values",
                Schema::list(
                    "With what; one that fits is enough, but for between, which takes two.",
                    Schema::raw(json!({ "type": ["string", "number", "boolean"] })),
                )
                .items(0..=MAX_VALUES)
                .examples([json!(["enterprise", "premium"])]),
            ),
        ],
    )
    .required(["attribute", "operator"])
    .also(json!({
        "if": when_operator(&["is_present", "is_absent"]),
        "then": { "properties": { "values": { "maxItems": 0 } } },
        "else": { "required": ["values"], "properties": { "values": { "minItems": 1 } } },
    }))
    .also(json!({
        "if": when_operator(&["starts_with", "ends_with"]),
        "then": { "properties": { "values": { "items": { "type": "string" } } } },
    }))
    .also(json!({
        "if": { "properties": { "as": { "const": "caseless" } }, "required": ["as"] },
        "then": { "properties": {
            "operator": { "enum": suiting(ReadAs::Caseless) },
            "values": { "items": { "type": "string" } },
        } },
    }))
    .also(json!({
        "if": { "properties": { "as": { "const": "version" } }, "required": ["as"] },
        "then": { "properties": {
            "operator": { "enum": suiting(ReadAs::Version) },
            "values": { "items": { "type": "string", "pattern": VERSION } },
        } },
    }))
    .also(json!({
        "if": { "properties": { "as": { "const": "date" } }, "required": ["as"] },
        "then": { "properties": {
            "operator": { "enum": suiting(ReadAs::Date) },
            "values": { "items": { "type": "string", "pattern": DATE } },
        } },
    }))
    .also(json!({
        "if": when_operator(&["between"]),
        "then": {
            "properties": {
                "attribute": { "enum": ["time.hour", "time.time"] },
                "values": { "minItems": 2, "maxItems": 2 },
            },
            "if": { "properties": { "attribute": { "const": "time.hour" } } },
            "then": { "properties": { "values": { "items": { "type": "integer", "minimum": 0, "maximum": 24 } } } },
            "else": { "properties": { "values": { "items": { "type": "string", "pattern": TIME } } } },
        },
    }))
}

/// The operators that compare what is read so.
fn suiting(read_as: ReadAs) -> Vec<&'static str> {
    let names = names_of::<Operator>().iter().copied();
    names
        .filter(|name| {
            serde_json::from_value(json!(name)).is_ok_and(|operator| read_as.suits(operator))
        })
        .collect()
}

fn target() -> Schema {
    Schema::one_of(
        "One persona, or a weighted split over several.",
        [Schema::link("onePersona"), Schema::link("split")],
    )
}

fn one_persona() -> Schema {
    object("One persona.", vec![("persona", persona_key())]).required(["persona"])
}

fn split() -> Schema {
    let arm = object(
        "One arm.",
        vec![
            ("persona", persona_key()),
            (
                "weight",
                Schema::whole(
                    "Its share, relative to the sum of all weights.",
                    0..=MAX_WEIGHT,
                ),
            ),
        ],
    )
    .required(["persona", "weight"]);
    let some_weight: Value = json!({ "properties": { "weight": { "exclusiveMinimum": 0 } } });
    let arms = Schema::list(
        "The arms; a user keeps theirs, and a changed weight moves as few as can be.",
        arm,
    )
    .items(ARMS)
    .with("contains", some_weight);
    object(
        "A weighted draw, the same for a user each time.",
        vec![("split", arms)],
    )
    .required(["split"])
}
