//! What is wrong with settings that can't be read: each member of a nested object, in the words of who wrote them.

use serde_json::{Error, Map, Value};

use super::Settings;
use super::shape::{is_list, is_well_shaped};
use crate::domain::fault::{Faults, step};
use crate::domain::nearest::nearest;
use crate::domain::wrong::{Words, Wrong};

/// A name is misspelt if it is no further from another.
const MAX_EDITS: usize = 2;
/// Objects inside each other are looked into so deep.
const MAX_DEPTH: usize = 4;

/// Says all that is wrong with a member that can't be read, or reads as something else than it is. `within` puts a value in its place and
/// everything around it. What is left of an object without its wrong members.
pub(super) fn explain(
    name: &str,
    value: &Value,
    within: &dyn Fn(Value) -> Value,
    error: Option<&Error>,
    faults: &mut Faults,
) -> Option<Value> {
    descend(&step(name), value, within, error, MAX_DEPTH, faults)
}

fn descend(
    at: &str,
    value: &Value,
    within: &dyn Fn(Value) -> Value,
    error: Option<&Error>,
    depth: usize,
    faults: &mut Faults,
) -> Option<Value> {
    let depth = depth.checked_sub(1);
    let left = match (value, depth) {
        (Value::Null, _) => {
            faults.add(at, Wrong::Null);
            return None;
        }
        (Value::Object(members), Some(depth)) => members_of(at, members, within, depth, faults),
        (Value::Array(items), Some(depth)) if at.strip_prefix('/').is_some_and(is_list) => {
            items_of(at, items, within, depth, faults);
            return None;
        }
        // The reader takes a list for an object.
        (Value::Array(_), _) if error.is_none_or(|error| !is_of_type(error)) => {
            faults.add(at, Wrong::Object.worded("must be no list"));
            return None;
        }
        _ => None,
    };
    match (left, error) {
        (Some(left), _) => read(within(left.clone())).ok().map(|_| left),
        (None, Some(error)) => {
            let name = at.rsplit('/').next().unwrap_or(at);
            faults.add(at, words(name, &error.to_string()));
            None
        }
        (None, None) => None,
    }
}

/// What is left without the wrong members; `None` where none is wrong by itself.
fn members_of(
    at: &str,
    members: &Map<String, Value>,
    within: &dyn Fn(Value) -> Value,
    depth: usize,
    faults: &mut Faults,
) -> Option<Value> {
    let mut left = Map::new();
    let mut found = false;
    for (name, member) in members {
        if faults.is_full() {
            break;
        }
        let alone = |value: Value| within(Value::Object(Map::from_iter([(name.clone(), value)])));
        // What it lacks beside itself is no fault of this member.
        let error = read(alone(member.clone())).err();
        let error = error.filter(|error| !error.to_string().starts_with("missing field"));
        let right = if error.is_none() && is_well_shaped(member) {
            Some(member.clone())
        } else {
            found = true;
            let place = format!("{at}{}", step(name));
            descend(&place, member, &alone, error.as_ref(), depth, faults)
        };
        left.extend(right.map(|right| (name.clone(), right)));
    }
    found.then_some(Value::Object(left))
}

/// Items that can be read are held to their limits here: what is left of a list would tell the places of other items.
fn items_of(
    at: &str,
    items: &[Value],
    within: &dyn Fn(Value) -> Value,
    depth: usize,
    faults: &mut Faults,
) {
    let alone = |value: Value| within(Value::Array(vec![value]));
    for (index, item) in items.iter().enumerate() {
        if faults.is_full() {
            break;
        }
        let place = format!("{at}/{index}");
        match read(alone(item.clone())) {
            Ok(settings) => {
                let first = format!("{at}/0");
                for fault in settings.check() {
                    if let Some(inside) = fault.pointer.strip_prefix(&first) {
                        let at = format!("{place}{inside}");
                        faults.add(at, fault.into_words());
                    }
                }
            }
            Err(error) => {
                descend(&place, item, &alone, Some(&error), depth, faults);
            }
        }
    }
}

fn is_of_type(error: &Error) -> bool {
    error.to_string().starts_with("invalid type")
}

fn read(document: Value) -> Result<Settings, Error> {
    serde_json::from_value(document)
}

/// An error of the reader, without the types of the language that it is written in.
fn words(name: &str, error: &str) -> Words {
    let listed = |names: &str| names.replace('`', "");
    if let Some((_, known)) = error
        .split_once("expected one of ")
        .or(error.split_once(", expected `"))
        && error.starts_with("unknown field")
    {
        let known = listed(known);
        return match successor(name) {
            Some(successor) => Wrong::Unknown(known).worded(format!("is unknown; {successor}")),
            None => match nearest(name, known.split(", "), MAX_EDITS) {
                Some(near) => {
                    let text = format!("is unknown; did you mean {near}? Known are {known}");
                    Wrong::Unknown(known.clone()).worded(text)
                }
                None => Wrong::Unknown(known).into(),
            },
        };
    }
    if let Some((_, known)) = error
        .split_once("expected one of ")
        .or(error.split_once(", expected `"))
        && error.starts_with("unknown variant")
    {
        let known = listed(known);
        let text = format!("must be one of {known}");
        return Wrong::OneOf(known).worded(text);
    }
    let Some((_, expected)) = error.split_once(", expected ") else {
        return Wrong::Unread(error.to_owned()).into();
    };
    let (wanted, wrong) = match expected {
        "a boolean" => ("true or false", Wrong::Flag),
        "a string" => ("a text in quotes", Wrong::Text),
        "u8" | "u16" | "u32" | "u64" | "usize" => (
            "a whole number of at least 0",
            Wrong::AtLeast("0".to_owned()),
        ),
        "i32" | "i64" => ("a whole number", Wrong::Whole),
        "f32" | "f64" | "a JSON number" => ("a number", Wrong::Number),
        "a sequence" => ("a list", Wrong::List),
        "a map" => ("an object", Wrong::Object),
        text if text.starts_with("struct ") => ("an object", Wrong::Object),
        text if text.starts_with("enum ") || text.contains("variant") => {
            ("a text in quotes", Wrong::Text)
        }
        other => return Wrong::Unread(format!("must be {other}")).into(),
    };
    let words = |text| Words {
        text,
        wrong: Box::new(wrong),
    };
    let is = error
        .strip_prefix("invalid type: ")
        .or_else(|| error.strip_prefix("invalid value: "))
        .and_then(|rest| rest.split_once(", expected "))
        .map(|(found, _)| found);
    let is = match is {
        Some(found) if found.starts_with("string") => "it is a text",
        Some(found) if found.starts_with("boolean") => "it is true or false",
        Some(found)
            if ["integer", "floating", "number"]
                .iter()
                .any(|kind| found.starts_with(kind)) =>
        {
            if wanted.contains("number") {
                "it is another number"
            } else {
                "it is a number"
            }
        }
        Some("sequence") => "it is a list",
        Some("map") => "it is an object",
        Some("null") => "it is null",
        _ => return words(format!("must be {wanted}")),
    };
    words(format!("must be {wanted}; {is}"))
}

/// What took the place of a setting of earlier days, or of another face of Anam.
fn successor(name: &str) -> Option<&'static str> {
    Some(match name {
        "personality" | "brain" | "prompt" | "instructions" => "it became systemPrompt",
        "brainType" => "it became llmId, a UUID that Anam's list of LLMs shows",
        "fillerPhrases" | "useFillerPhrases" => {
            "Anam has no filler phrases any more: say in systemPrompt how to bridge a pause"
        }
        "personaPreset" | "presetId" => "it became avatarId, voiceId and llmId",
        "disableBrains" => "llmId CUSTOMER_CLIENT_V1 lets the page say what is spoken",
        "voiceSpeed" => "it became voiceGenerationOptions.speed",
        "personaId" => {
            "the gateway sends the settings themselves: avatarId, voiceId, llmId and systemPrompt"
        }
        "avatar" => "write avatarId",
        "voice" => "write voiceId",
        "llm" | "model" => "write llmId",
        "language" | "locale" => "write languageCode",
        "greeting" | "firstMessage" => "write initialMessage",
        "fps" | "expiresIn" | "type" | "widgetConfig" | "clientLabel" => {
            "Anam takes it from no persona: leave it out"
        }
        _ => return None,
    })
}
