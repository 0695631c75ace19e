//! The rows of the policy's form: settings that can be locked or given a default, and preferences that the tenant adds.

use serde_json::{Map, Value};

use crate::console::parts::{Faults, number, words_of};
use crate::console::visit::Form;

/// How a setting is entered.
#[derive(Debug, Clone)]
pub enum Kind {
    Line,
    Number,
    Flag,
    /// One of these: value, and name for people.
    Choice(Vec<(String, String)>),
}

/// A setting: its place, and how it is entered.
#[derive(Debug, Clone)]
pub struct Setting {
    /// With dots between members.
    pub name: &'static str,
    pub kind: Kind,
}

/// Settings that most policies are about. Others stay as they are; the JSON has them all.
pub fn settings(catalogue: Catalogue) -> Vec<Setting> {
    let choice = |values: &[&str]| {
        let same = |value: &&str| ((*value).to_owned(), (*value).to_owned());
        Kind::Choice(values.iter().map(same).collect())
    };
    let chosen = |entries: Vec<(String, String)>| {
        if entries.is_empty() {
            Kind::Line
        } else {
            Kind::Choice(entries)
        }
    };
    [
        ("avatarId", chosen(catalogue.avatars)),
        ("voiceId", chosen(catalogue.voices)),
        ("llmId", chosen(catalogue.llms)),
        ("languageCode", chosen(catalogue.languages)),
        ("maxSessionLengthSeconds", Kind::Number),
        ("skipGreeting", Kind::Flag),
        ("uninterruptibleGreeting", Kind::Flag),
        ("zeroDataRetention", Kind::Flag),
        (
            "voiceDetectionOptions.silenceBeforeSessionEndSeconds",
            Kind::Number,
        ),
        ("voiceDetectionOptions.endOfSpeechSensitivity", Kind::Number),
        (
            "sessionOptions.sessionReplay.enableSessionReplay",
            Kind::Flag,
        ),
        ("sessionOptions.showAIAvatarDisclosure", Kind::Flag),
        ("sessionOptions.videoQuality", choice(&["high", "auto"])),
        (
            "sessionOptions.region",
            choice(&["eu", "us-east", "us-west"]),
        ),
        (
            "sessionOptions.regionPolicy",
            choice(&["preferred", "strict"]),
        ),
    ]
    .into_iter()
    .map(|(name, kind)| Setting { name, kind })
    .collect()
}

/// What may be chosen.
#[derive(Debug, Default)]
pub struct Catalogue {
    pub avatars: Vec<(String, String)>,
    pub voices: Vec<(String, String)>,
    pub llms: Vec<(String, String)>,
    pub languages: Vec<(String, String)>,
}

/// A setting's two columns.
#[derive(Debug)]
pub struct Row {
    pub setting: Setting,
    pub cells: [Cell; 2],
}

/// A lock or a default.
#[derive(Debug)]
pub struct Cell {
    /// `locks` or `defaults`.
    pub part: &'static str,
    pub value: String,
    pub fault: Option<String>,
}

impl Cell {
    /// The field's name.
    pub fn field(&self, name: &str) -> String {
        format!("{}.{name}", self.part)
    }

    /// Whether the value is among these.
    pub fn is_among(&self, values: &[(String, String)]) -> bool {
        self.value.is_empty() || values.iter().any(|(value, _)| *value == self.value)
    }
}

const PARTS: [&str; 2] = ["locks", "defaults"];

/// The rows, with what the policy says or what somebody typed.
pub fn rows(
    settings: Vec<Setting>,
    policy: &Value,
    form: Option<&Form>,
    faults: &Faults,
) -> Vec<Row> {
    let rows = settings.into_iter().map(|setting| {
        let cells = PARTS.map(|part| {
            let stored = policy
                .get(part)
                .and_then(|part| at(part, setting.name))
                .map(words_of);
            let typed = form.map(|form| form.get(&format!("{part}.{}", setting.name)).to_owned());
            let pointer = format!("/{part}/{}", setting.name.replace('.', "/"));
            Cell {
                part,
                value: typed.or(stored).unwrap_or_default(),
                fault: faults.at(&pointer).map(|said| said.text),
            }
        });
        Row { setting, cells }
    });
    rows.collect()
}

fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.')
        .try_fold(value, |value, name| value.get(name))
}

/// Puts what was typed into the policy; an empty field takes the setting away.
pub fn apply(settings: &[Setting], form: &Form, policy: &mut Map<String, Value>) {
    for part in PARTS {
        let mut members = match policy.remove(part) {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        };
        for setting in settings {
            let typed = form.get(&format!("{part}.{}", setting.name)).trim();
            let path: Vec<&str> = setting.name.split('.').collect();
            put(&mut members, &path, value_of(&setting.kind, typed));
        }
        if !members.is_empty() {
            policy.insert(part.to_owned(), Value::Object(members));
        }
    }
}

fn value_of(kind: &Kind, typed: &str) -> Option<Value> {
    match kind {
        _ if typed.is_empty() => None,
        Kind::Number => Some(number(typed)),
        Kind::Flag => Some(match typed {
            "true" => true.into(),
            "false" => false.into(),
            other => other.into(),
        }),
        Kind::Line | Kind::Choice(_) => Some(typed.into()),
    }
}

/// Puts or removes a member; an object that becomes empty goes as well.
fn put(members: &mut Map<String, Value>, path: &[&str], value: Option<Value>) {
    match path {
        [] => {}
        [name] => {
            match value {
                Some(value) => members.insert((*name).to_owned(), value),
                None => members.remove(*name),
            };
        }
        [name, rest @ ..] => {
            let mut below = match members.remove(*name) {
                Some(Value::Object(below)) => below,
                _ => Map::new(),
            };
            put(&mut below, rest, value);
            if !below.is_empty() {
                members.insert((*name).to_owned(), Value::Object(below));
            }
        }
    }
}

/// A preference that the tenant adds.
#[derive(Debug, Default)]
pub struct Preference {
    pub name: String,
    /// `values`, `text`, `flag` or `number`.
    pub kind: String,
    /// The values, the longest text, or the range.
    pub limits: String,
    pub fault: Option<String>,
}

/// Empty lines of the form, for new ones.
const SPARE: usize = 2;

/// The preferences that the policy has, or that somebody typed, and some empty lines.
pub fn preferences(policy: &Value, form: Option<&Form>, faults: &Faults) -> Vec<Preference> {
    let mut rows = match form {
        Some(form) => typed(form)
            .map(|(name, kind, limits)| Preference {
                fault: faults
                    .at(&format!("/preferences/{name}"))
                    .map(|said| said.text),
                name: name.to_owned(),
                kind: kind.to_owned(),
                limits: limits.to_owned(),
            })
            .collect::<Vec<_>>(),
        None => policy
            .get("preferences")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, definition)| stored(name, definition))
            .collect(),
    };
    rows.extend((0..SPARE).map(|_| Preference::default()));
    rows
}

fn stored(name: &str, definition: &Value) -> Preference {
    let member = |name: &str| definition.get(name).map(words_of).unwrap_or_default();
    let (kind, limits) = if let Some(Value::Array(values)) = definition.get("values") {
        let values: Vec<String> = values.iter().map(words_of).collect();
        ("values", values.join(", "))
    } else if definition.get("maxLength").is_some() {
        ("text", member("maxLength"))
    } else if definition.get("minimum").is_some() {
        (
            "number",
            format!("{} to {}", member("minimum"), member("maximum")),
        )
    } else {
        ("flag", String::new())
    };
    Preference {
        name: name.to_owned(),
        kind: kind.to_owned(),
        limits,
        fault: None,
    }
}

fn typed(form: &Form) -> impl Iterator<Item = (&str, &str, &str)> {
    let names = form.all("preference-name");
    let kinds = form.all("preference-kind");
    let limits = form.all("preference-limits");
    names
        .zip(kinds)
        .zip(limits)
        .map(|((name, kind), limits)| (name.trim(), kind, limits.trim()))
        .filter(|(name, _, _)| !name.is_empty())
}

/// The preferences that were typed, as the policy has them.
pub fn preferences_of(form: &Form) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, kind, limits) in typed(form) {
        let mut definition = Map::new();
        match kind {
            "values" => {
                let values = limits.split(',').map(str::trim);
                let values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
                definition.insert("values".to_owned(), values.into());
            }
            "text" => {
                definition.insert("maxLength".to_owned(), number(limits));
            }
            "number" => {
                let (min, max) = limits
                    .split_once("to")
                    .or_else(|| limits.split_once('–'))
                    .or_else(|| limits.split_once(','))
                    .unwrap_or((limits, ""));
                definition.insert("minimum".to_owned(), number(min.trim()));
                definition.insert("maximum".to_owned(), number(max.trim()));
            }
            _ => {
                definition.insert("type".to_owned(), "boolean".into());
            }
        }
        members.insert(name.to_owned(), Value::Object(definition));
    }
    members
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_come_and_go_without_leaving_empty_objects() {
        let mut members = Map::new();
        let path = ["sessionOptions", "sessionReplay", "enableSessionReplay"];
        put(&mut members, &path, Some(false.into()));
        assert_eq!(
            Value::Object(members.clone()),
            json!({"sessionOptions": {"sessionReplay": {"enableSessionReplay": false}}})
        );
        put(&mut members, &path, None);
        assert!(members.is_empty());
    }

    #[test]
    fn preferences_are_shown_as_they_are_typed() {
        for (definition, kind, limits) in [
            (json!({"values": ["a", "b"]}), "values", "a, b"),
            (json!({"maxLength": 20}), "text", "20"),
            (json!({"type": "boolean"}), "flag", ""),
            (
                json!({"minimum": -1, "maximum": 5.5}),
                "number",
                "-1 to 5.5",
            ),
        ] {
            let row = stored("x", &definition);
            assert_eq!((row.kind.as_str(), row.limits.as_str()), (kind, limits));
        }
        assert_eq!(number("12"), json!(12));
        assert_eq!(number("a dozen"), json!("a dozen"));
    }
}
