//! Forms of ids and codes, and the places of values.

use serde_json::{Map, Value};

use super::MERGED;

/// UUID-shaped, whatever the version: Anam's ids are not all version 4.
pub fn is_uuid_shaped(id: &str) -> bool {
    id.len() == 36
        && id.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

/// Two small letters, as ISO 639-1 has them.
pub fn is_language_code(code: &str) -> bool {
    code.len() == 2 && code.chars().all(|c| c.is_ascii_lowercase())
}

pub(super) fn leaves(members: &Map<String, Value>) -> Vec<String> {
    let mut paths = Vec::new();
    for (name, value) in members {
        match value {
            Value::Object(inner) if MERGED.contains(&name.as_str()) => {
                paths.extend(
                    leaves(inner)
                        .into_iter()
                        .map(|path| format!("{name}.{path}")),
                );
            }
            _ => paths.push(name.clone()),
        }
    }
    paths
}
