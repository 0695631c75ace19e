//! Settings over each other: what the gateway says, the policy's defaults, the persona, the policy's locks.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::describe::{Form, Setting};
use super::table::Settings;

impl Settings {
    /// The lowest layer: what the gateway sends where nobody says anything, and Anam's own default is unclear or costly.
    pub fn fallback() -> Self {
        let members = fallback(Self::TABLE);
        serde_json::from_value(Value::Object(members)).unwrap_or_default()
    }

    /// Lays `over` on top of these settings, member by member; nested objects too where their setting says so.
    #[must_use]
    pub fn overlaid(&self, over: &Self) -> Self {
        let mut base = self.to_document();
        merge_over(Self::TABLE, &mut base, over.to_document());
        serde_json::from_value(Value::Object(base)).unwrap_or_else(|_| self.clone())
    }

    /// The dotted paths of the members that are set, such as `voiceDetectionOptions.endOfSpeechSensitivity`, each with whose layer this is.
    /// The paths of a layer replace those of the layers below.
    pub fn winners<W: Copy>(&self, whose: W) -> BTreeMap<String, W> {
        let mut paths = Vec::new();
        leaves(Self::TABLE, "", &self.to_document(), &mut paths);
        paths.into_iter().map(|path| (path, whose)).collect()
    }

    /// The members that are set, as they are in documents.
    pub fn to_document(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        }
    }
}

fn fallback(table: &[Setting]) -> Map<String, Value> {
    let members = table.iter().filter_map(|setting| {
        let value = match (&setting.form, setting.fallback) {
            (_, Some(fallback)) => fallback.to_value(),
            (Form::Group { members, .. }, None) => Value::Object(fallback(members)),
            _ => return None,
        };
        Some((setting.name.to_owned(), value))
    });
    let said = |value: &Value| value.as_object().is_none_or(|members| !members.is_empty());
    members.filter(|(_, value)| said(value)).collect()
}

/// The members of a setting that is an object and whose layers are merged member by member.
fn layered(table: &'static [Setting], name: &str) -> Option<&'static [Setting]> {
    let setting = table.iter().find(|setting| setting.name == name)?;
    match setting.form {
        Form::Group {
            members,
            by_member: true,
        } => Some(members),
        _ => None,
    }
}

fn leaves(
    table: &'static [Setting],
    prefix: &str,
    members: &Map<String, Value>,
    paths: &mut Vec<String>,
) {
    for (name, value) in members {
        let path = format!("{prefix}{name}");
        match (value, layered(table, name)) {
            (Value::Object(inner), Some(table)) => leaves(table, &format!("{path}."), inner, paths),
            _ => paths.push(path),
        }
    }
}

fn merge_over(table: &'static [Setting], base: &mut Map<String, Value>, top: Map<String, Value>) {
    for (name, value) in top {
        match (base.get_mut(&name), value, layered(table, &name)) {
            (Some(Value::Object(below)), Value::Object(above), Some(table)) => {
                merge_over(table, below, above);
            }
            (_, value, _) => {
                base.insert(name, value);
            }
        }
    }
}
