//! Names that pages speak of are the program's: members, operators, filters, settings, calls, codes, metrics, files.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use persona_gateway::telemetry::metrics::Metrics;
use persona_gateway::web::codes::Code;
use serde_json::Value;

use super::sentences::{file, pages};

fn schema() -> Value {
    serde_json::from_str(&file("docs/bundle.schema.json")).unwrap()
}

fn members(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let found = schema.pointer(pointer).unwrap();
    match found {
        Value::Object(members) => members.keys().cloned().collect(),
        Value::Array(values) => values
            .iter()
            .map(|value| value.as_str().unwrap().to_owned())
            .collect(),
        other => panic!("{other}"),
    }
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names in the first cells of the table that begins behind `heading`.
fn first_cells(page: &str, heading: &str) -> BTreeSet<String> {
    let (_, behind) = page.split_once(heading).unwrap();
    let rows = behind
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.split(" | ").next())
        .flat_map(quoted)
        .map(ToOwned::to_owned)
        .collect()
}

/// The names in backticks of a sentence: what stands between these two.
fn listed(page: &str, from: &str, until: &str) -> BTreeSet<String> {
    let (_, behind) = page.split_once(from).unwrap();
    quoted(behind.split_once(until).unwrap().0)
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn the_tables_of_bundles_have_every_member() {
    let (page, schema) = (file("docs/BUNDLES.md"), schema());
    let of = |name: &str| members(&schema, &format!("/$defs/{name}/properties"));
    let without = |name: &str, others: &[&str]| {
        let mut found = of(name);
        found.retain(|member| !others.contains(&member.as_str()));
        found
    };
    assert_eq!(first_cells(&page, "## Policy\n"), of("policy"));
    assert_eq!(first_cells(&page, "## Issuers\n"), of("issuer"));
    assert_eq!(first_cells(&page, "### Settings\n"), of("settings"));
    // `tests` have a chapter of their own.
    assert_eq!(
        first_cells(&page, "## Contexts\n"),
        without("context", &["tests"])
    );
    let settings: Vec<String> = of("settings").into_iter().collect();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let own = without("persona", &[&settings[..], &["tests"]].concat());
    assert_eq!(first_cells(&page, "## Personas\n"), own);
    let mut sections = members(&schema, "/properties");
    sections.remove("$schema");
    assert_eq!(
        first_cells(
            &page,
            "what only the database knows: `apply --dry-run` does."
        ),
        sections
    );
    for name in [
        "voiceDetectionOptions",
        "voiceGenerationOptions",
        "directorNotes",
        "sessionOptions",
    ] {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")))
            .unwrap();
        let told: String = quoted(row).collect::<Vec<_>>().join(" ");
        for member in of(name) {
            assert!(told.contains(&member), "{name} has {member}: {row}");
        }
    }
}

#[test]
fn the_lists_of_rules_issuers_and_templates_are_whole() {
    let (page, schema) = (file("docs/BUNDLES.md"), schema());
    let clause = "/$defs/clause/properties";
    let operators = members(&schema, &format!("{clause}/operator/enum"));
    assert_eq!(
        first_cells(&page, "| operator | holds when |\n| --- | --- |\n"),
        operators
    );
    assert_eq!(
        first_cells(&page, "| `as` | texts are | with |\n| --- | --- | --- |\n"),
        members(&schema, &format!("{clause}/as/enum"))
    );
    let algorithms = listed(&page, "| for public keys of ", " | `RS256`");
    let known = members(&schema, "/$defs/issuer/properties/algorithms/items/enum");
    assert_eq!(algorithms, known);
    let audiences = listed(
        &page,
        "the claim that holds the audience: ",
        " if the issuer serves",
    );
    let known = members(&schema, "/$defs/issuer/properties/audienceClaim/enum");
    assert_eq!(audiences, known);
    let overridable = listed(&page, "fields in which a user's preference wins: ", " |");
    let known = members(&schema, "/$defs/persona/properties/overridable/items/enum");
    assert_eq!(overridable, known);

    // Names in the sources: the first of a line, and those that mean the same.
    let source = file("src/domain/template/filters.rs");
    let names = |kind: &str, all: bool| {
        let (_, behind) = source.split_once(&format!("    {kind} {{\n")).unwrap();
        let lines = behind.split_once("    }\n").unwrap().0.lines();
        lines
            .flat_map(|line| {
                line.split('"')
                    .skip(1)
                    .step_by(2)
                    .take(if all { 9 } else { 1 })
            })
            .map(ToOwned::to_owned)
            .collect::<BTreeSet<String>>()
    };
    assert_eq!(
        listed(&page, "**Filters**: ", "**Tests**"),
        names("Filter", true)
    );
    assert_eq!(
        listed(&page, "**Tests** (`is`", ". Where a character"),
        names("Test", false)
    );
}

#[test]
fn settings_that_pages_name_are_settings() {
    let defaults = file("config/default.toml");
    let mut section = "";
    let mut known = BTreeSet::new();
    for line in defaults.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            known.insert(format!("{section}.{name}"));
        }
    }
    let sections: BTreeSet<&str> = known
        .iter()
        .filter_map(|key| key.split('.').next())
        .collect();
    let mut named = 0;
    // What the changelog names may have been renamed.
    for page in pages().iter().filter(|page| *page != "CHANGELOG.md") {
        for text in quoted(&file(page)) {
            let Some((section, rest)) = text.split_once('.') else {
                continue;
            };
            let is_name =
                rest.chars().all(|c| c.is_ascii_lowercase() || c == '_') && rest.contains('_');
            if sections.contains(section) && is_name {
                assert!(known.contains(text), "{page}: {text}");
                named += 1;
            }
        }
    }
    assert!(named > 40, "{named}");
}

#[test]
fn calls_that_pages_name_are_in_the_description() {
    let document: Value = serde_json::from_str(&file("docs/openapi.json")).unwrap();
    let nameless = |path: &str| -> String {
        let parts = path.split('/').map(|part| match part.split_once('}') {
            Some((_, verb)) if part.starts_with('{') => format!("{{}}{verb}"),
            _ => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    };
    let known: BTreeSet<String> = members(&document, "/paths")
        .iter()
        .flat_map(|path| {
            let methods = document["paths"][path].as_object().unwrap().keys();
            methods.map(|method| format!("{} {}", method.to_uppercase(), nameless(path)))
        })
        .collect();
    let mut named = 0;
    for page in pages() {
        for text in quoted(&file(&page)) {
            let text = text.split([' ', '?']).take(2).collect::<Vec<_>>().join(" ");
            let is_call = ["GET /v1", "PUT /v1", "POST /v1", "PATCH /v1", "DELETE /v1"];
            if is_call.iter().any(|call| text.starts_with(call)) {
                assert!(known.contains(&nameless(&text)), "{page}: {text}");
                named += 1;
            }
        }
    }
    assert!(named > 30, "{named}");
}

#[test]
fn who_may_is_told_and_every_call_of_users_is_described() {
    let document: Value = serde_json::from_str(&file("docs/openapi.json")).unwrap();
    let api = file("docs/API.md");
    let mut permissions = BTreeSet::new();
    let mut open = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let is_for_users = !path.starts_with("/v1/admin") && !path.starts_with("/v1/operator");
            match operation["x-permission"].as_str() {
                Some(permission) => _ = permissions.insert(permission.to_owned()),
                None if is_for_users => assert!(api.contains(path), "API.md has no {path}"),
                None => open += 1,
            }
        }
    }
    assert_eq!(
        listed(
            &file("docs/CLIENTS.md"),
            "in `x-permission` who may (",
            ":\n["
        ),
        permissions
    );
    let people = file("docs/admin/people.md");
    assert!(
        people.contains("Eight need no credential:") && open == 8,
        "{open}"
    );
    let told = listed(&people, "`x-permission` who may: a role (", " Eight need");
    assert_eq!(told, permissions);
}

#[test]
fn codes_that_pages_name_have_their_status() {
    let mut named = 0;
    for page in pages() {
        let page_text = file(&page);
        let page_text = page_text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (at, _) in page_text.match_indices(" `") {
            let before = page_text.get(..at).unwrap();
            let status: String = before
                .chars()
                .rev()
                .take(3)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect();
            let code = page_text.get(at + 2..).unwrap().split('`').next().unwrap();
            let is_code =
                code.chars().all(|c| c.is_ascii_lowercase() || c == '_') && code.contains('_');
            if let (Ok(400..=599), true) = (status.parse::<u16>(), is_code) {
                let known = Code::ALL.iter().find(|known| known.as_str() == code);
                let known = known.unwrap_or_else(|| panic!("{page}: {code} is no code"));
                assert_eq!(known.status().as_str(), status, "{page}: {code}");
                named += 1;
            }
        }
    }
    assert!(named >= 8, "{named}");
}

#[test]
fn metrics_and_files_that_pages_name_are_there() {
    let metrics = Metrics::new();
    let is_there = |name: &str| metrics.described().iter().any(|known| known.name == name);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = vec![root.join("src"), root.join("tests"), root.join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(
                    path.strip_prefix(root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
    }
    let (mut named, mut wrong) = (0, Vec::new());
    for page in pages() {
        for text in quoted(&file(&page)) {
            let is_metric = text.starts_with("gateway_") && text.ends_with("_total")
                || text.ends_with("_seconds") && text.starts_with("gateway_");
            if is_metric {
                if !is_there(text) {
                    wrong.push(format!("{page}: {text}"));
                }
                named += 1;
            }
            let is_file = Path::new(text).extension().is_some_and(|end| end == "rs")
                && !text.contains([' ', '*']);
            if is_file {
                let end = format!("/{text}");
                if !files
                    .iter()
                    .any(|file| file == text || file.ends_with(&end))
                {
                    wrong.push(format!("{page}: {text}"));
                }
                named += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(named > 60, "{named}");
}

/// Members of examples that no schema names: facts, a tenant's own preferences and metadata, and what a trace is made of.
const FREE: [&str; 15] = [
    "...",
    "contextFound",
    "country",
    "experience",
    "failedAttribute",
    "failedClause",
    "locale",
    "personaConfig",
    "plan",
    "priority",
    "properties",
    "roles",
    "rule",
    "sessionOptions.sessionReplay.enableSessionReplay",
    "ticketId",
];

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.keys().cloned());
            }
            object.values().for_each(|inner| collect(inner, found));
        }
        Value::Array(values) => values.iter().for_each(|inner| collect(inner, found)),
        _ => {}
    }
}

#[test]
fn examples_in_json_have_members_of_the_description() {
    let mut known: BTreeSet<String> = FREE.iter().map(|name| (*name).to_owned()).collect();
    for path in ["docs/openapi.json", "docs/bundle.schema.json"] {
        collect(&serde_json::from_str(&file(path)).unwrap(), &mut known);
    }
    let mut seen = 0;
    for page in pages() {
        for block in file(&page).split("\n```json\n").skip(1) {
            let block = block.split("\n```").next().unwrap();
            let names = block.split("\":").filter_map(|part| part.rsplit_once('"'));
            for (_, name) in names.filter(|(before, _)| !before.ends_with('\\')) {
                if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.') {
                    assert!(known.contains(name), "{page}: {name}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 100, "{seen}");
}
