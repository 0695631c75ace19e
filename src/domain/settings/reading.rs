//! What is wrong with settings that can't be read: each member of a nested object, in the words of who wrote them.

use serde_json::{Error, Map, Value};

use super::Settings;
use crate::domain::fault::{Faults, step};
use crate::domain::nearest::nearest;

/// A name is misspelt if it is no further from another.
const MAX_EDITS: usize = 2;
/// Objects inside each other are looked into so deep.
const MAX_DEPTH: usize = 4;

/// Says what is wrong with a member that can't be read. `within` puts a value in its place and everything around it.
pub(super) fn explain(
    name: &str,
    value: &Value,
    within: &dyn Fn(Value) -> Value,
    error: &Error,
    faults: &mut Faults,
) {
    descend(&step(name), value, within, error, MAX_DEPTH, faults);
}

fn descend(
    at: &str,
    value: &Value,
    within: &dyn Fn(Value) -> Value,
    error: &Error,
    depth: usize,
    faults: &mut Faults,
) {
    let mut found = false;
    let depth = depth.checked_sub(1);
    if let (Some(depth), Value::Object(members)) = (depth, value) {
        for (name, member) in members {
            let alone =
                |value: Value| within(Value::Object(Map::from_iter([(name.clone(), value)])));
            let Err(error) = serde_json::from_value::<Settings>(alone(member.clone())) else {
                continue;
            };
            // What it lacks beside itself is no fault of this member.
            if error.to_string().starts_with("missing field") {
                continue;
            }
            found = true;
            descend(
                &format!("{at}{}", step(name)),
                member,
                &alone,
                &error,
                depth,
                faults,
            );
        }
    }
    if !found {
        let name = at.rsplit('/').next().unwrap_or(at);
        faults.add(at, words(name, &error.to_string()));
    }
}

/// An error of the reader, without the types of the language that it is written in.
fn words(name: &str, error: &str) -> String {
    let listed = |names: &str| names.replace('`', "");
    if let Some((_, known)) = error
        .split_once("expected one of ")
        .or(error.split_once(", expected `"))
        && error.starts_with("unknown field")
    {
        let known = listed(known);
        return match successor(name) {
            Some(successor) => format!("is unknown; {successor}"),
            None => match nearest(name, known.split(", "), MAX_EDITS) {
                Some(near) => format!("is unknown; did you mean {near}? Known are {known}"),
                None => format!("is unknown; known are {known}"),
            },
        };
    }
    if let Some((_, known)) = error
        .split_once("expected one of ")
        .or(error.split_once(", expected `"))
        && error.starts_with("unknown variant")
    {
        return format!("must be one of {}", listed(known));
    }
    let Some((_, expected)) = error.split_once(", expected ") else {
        return error.to_owned();
    };
    let wanted = match expected {
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0",
        "i32" | "i64" => "a whole number",
        "f32" | "f64" | "a JSON number" => "a number",
        "a sequence" => "a list",
        text if text.starts_with("struct ") => "an object",
        text if text.starts_with("enum ") || text.contains("variant") => "a text in quotes",
        other => return format!("must be {other}"),
    };
    let is = error
        .strip_prefix("invalid type: ")
        .or_else(|| error.strip_prefix("invalid value: "))
        .and_then(|rest| rest.split_once(", expected "))
        .map(|(found, _)| found);
    let is = match is {
        Some(found) if found.starts_with("string") => "it is a text",
        Some(found) if found.starts_with("boolean") => "it is true or false",
        Some(found) if found.starts_with("integer") || found.starts_with("floating") => {
            "it is another number"
        }
        Some("sequence") => "it is a list",
        Some("map") => "it is an object",
        _ => return format!("must be {wanted}"),
    };
    format!("must be {wanted}; {is}")
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
            "Anam is not told it by a persona: leave it out"
        }
        _ => return None,
    })
}
