//! Anam's settings: the same in personas, defaults and locks. What each may be follows from its description in `domain/settings`; what they
//! need of each other is said here in JSON Schema's words.

use serde_json::{Map, Value, json};

use super::Definitions;
use super::words::{Schema, object};
use crate::domain::settings::{AvatarModel, Fallback, Form, PROVIDERS, Setting, Settings, bounds};

/// Any UUID, whatever its version: Anam's ids are not all version 4.
const UUID: &str = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";

/// An id of Anam's lists.
pub(super) fn id(about: &str) -> Schema {
    Schema::text(about)
        .pattern(UUID)
        .examples([json!("071b0286-4cce-4808-bee2-e642f1062de3")])
}

/// The members of `Settings`, which personas have beside their texts.
pub(super) fn members() -> Vec<(&'static str, Schema)> {
    let member = |setting: &Setting| match setting.form {
        Form::Group { .. } => (setting.name, Schema::link(setting.name)),
        _ => (setting.name, schema_of(setting)),
    };
    Settings::TABLE.iter().map(member).collect()
}

fn schema_of(setting: &Setting) -> Schema {
    let about = &about(setting);
    match &setting.form {
        Form::Id([]) => id(about),
        Form::Id(names) => Schema::one_of(
            about,
            [
                Schema::raw(json!({ "type": "string", "pattern": UUID })),
                Schema::raw(json!({ "type": "string", "enum": names })),
            ],
        ),
        Form::Ids(about_one) => Schema::list(about, id(about_one)),
        Form::Language => Schema::text(about)
            .pattern("^[a-z]{2}$")
            .examples([json!("en"), json!("de")]),
        Form::Flag => Schema::flag(about),
        Form::Whole(range) => Schema::whole(about, range.clone()),
        Form::WholeOf(numbers) => Schema::numbers(about, numbers),
        Form::Number(range) => Schema::number(about, range),
        Form::Text(None) => Schema::text(about),
        Form::Text(Some(most)) => Schema::text(about).chars(0..=*most),
        Form::OneOf(names) => Schema::choice(about, names().iter().copied()),
        Form::Tools => Schema::list(about, Schema::link("tool")),
        Form::Group { members, .. } => {
            let needed = members.iter().filter(|member| member.is_needed);
            let needed: Vec<Value> = needed.map(|member| member.name.into()).collect();
            let all = members
                .iter()
                .map(|member| (member.name, schema_of(member)));
            let group = object(about, all.collect());
            let group = match needed.as_slice() {
                [] => group,
                _ => group.with("required", needed),
            };
            agreements_within(setting.name, group)
        }
    }
}

/// What a setting is, and what the gateway sends where nobody says.
fn about(setting: &Setting) -> String {
    let about = setting.about;
    match setting.fallback.map(Fallback::to_value) {
        None => about.to_owned(),
        Some(Value::String(text)) => {
            format!("{about} The gateway sends `{text}` where nobody says.")
        }
        Some(value) => format!("{about} The gateway sends {value} where nobody says."),
    }
}

/// What the members of settings say about each other.
pub(super) fn agreements(schema: Schema) -> Schema {
    let (small_width, _) = bounds::VIDEO_SIZE_3;
    let large_widths = bounds::VIDEO_SIZES_4.map(|(width, _)| width);
    let is_small = json!({ "properties": { "avatarModel": { "const": AvatarModel::Cara3.as_str() } }, "required": ["avatarModel"] });
    let width = |allowed: Value| json!({ "properties": { "sessionOptions": { "properties": { "videoWidth": { "enum": allowed } } } } });
    schema
        .also(json!({
            "if": is_small,
            "then": {
                "allOf": [
                    { "properties": { "directorNotes": false } },
                    width(json!([small_width])),
                ],
            },
        }))
        .also(json!({
            "if": { "properties": { "avatarModel": { "enum": [AvatarModel::Cara4.as_str(), AvatarModel::Cara4Latest.as_str()] } }, "required": ["avatarModel"] },
            "then": width(json!(large_widths)),
        }))
}

/// `settings` and its parts.
pub(super) fn definitions() -> Definitions {
    let settings = object("Anam's settings, under Anam's own names.", members());
    let groups = Settings::TABLE
        .iter()
        .filter(|setting| matches!(setting.form, Form::Group { .. }));
    let groups = groups.map(|setting| (setting.name, schema_of(setting)));
    [("settings", agreements(settings))]
        .into_iter()
        .chain(groups)
        .collect()
}

/// What the members of a group say about each other.
fn agreements_within(group: &str, schema: Schema) -> Schema {
    match group {
        "voiceGenerationOptions" => {
            let providers = PROVIDERS.map(|provider| {
                let lacking = provider.lacks.iter();
                let mut properties: Map<String, Value> = lacking
                    .map(|name| ((*name).to_owned(), Value::Bool(false)))
                    .collect();
                let (least, most) = (provider.speed.start(), provider.speed.end());
                properties.insert("speed".into(), json!({ "minimum": least, "maximum": most }));
                json!({ "properties": properties })
            });
            schema.with("anyOf", json!(providers))
        }
        "directorNotes" => schema.with(
            "not",
            json!({ "required": ["presetStyle", "customStylePrompt"] }),
        ),
        "sessionOptions" => {
            let [wide, tall] = bounds::VIDEO_SIZES_4;
            let pairs = [bounds::VIDEO_SIZE_3, wide, tall].map(|(width, height)| {
                json!({ "properties": { "videoWidth": { "const": width }, "videoHeight": { "const": height } } })
            });
            schema
                .with(
                    "dependentRequired",
                    json!({ "videoWidth": ["videoHeight"], "videoHeight": ["videoWidth"] }),
                )
                .also(json!({ "anyOf": pairs }))
                .also(json!({
                    "if": { "properties": { "regionPolicy": { "const": "strict" } }, "required": ["regionPolicy"] },
                    "then": { "required": ["region"] },
                }))
        }
        _ => schema,
    }
}
