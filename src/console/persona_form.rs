//! The form of a persona, and the document that it stands for. What the form has no field for stays as it is, and can be edited as JSON.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::api::Fault;
use super::visit::Form;

/// Numbers of Anam's `voiceDetectionOptions`: member, text, least, most, step.
pub const TURNS: [(&str, &str, &str, &str, &str); 5] = [
    (
        "endOfSpeechSensitivity",
        "persona-turn-eagerness",
        "0",
        "1",
        "0.05",
    ),
    (
        "silenceBeforeAutoEndTurnSeconds",
        "persona-turn-end",
        "0.5",
        "10",
        "0.5",
    ),
    (
        "silenceBeforeSkipTurnSeconds",
        "persona-turn-skip",
        "0",
        "900",
        "1",
    ),
    (
        "silenceBeforeSessionEndSeconds",
        "persona-turn-hang-up",
        "0",
        "7200",
        "1",
    ),
    (
        "speechEnhancementLevel",
        "persona-turn-noise",
        "0",
        "1",
        "0.05",
    ),
];

/// Fields that users may choose themselves, where the persona lets them.
pub const OVERRIDABLE: [(&str, &str); 5] = [
    ("avatarId", "persona-avatar"),
    ("voiceId", "persona-voice"),
    ("llmId", "persona-llm"),
    ("languageCode", "persona-language"),
    ("systemPrompt", "persona-prompt"),
];

/// Texts of the document that are fields of the form.
const TEXTS: [&str; 7] = [
    "name",
    "systemPrompt",
    "initialMessage",
    "avatarId",
    "voiceId",
    "llmId",
    "languageCode",
];
const FLAGS: [&str; 2] = ["skipGreeting", "uninterruptibleGreeting"];
const LENGTH: &str = "maxSessionLengthSeconds";
const DETECTION: &str = "voiceDetectionOptions";

/// What the form shows and takes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PersonaForm {
    texts: Map<String, Value>,
    flags: BTreeSet<String>,
    /// In seconds, as it was typed.
    pub length: String,
    turns: Vec<(String, String)>,
    overridable: Vec<String>,
    /// Everything else, as JSON.
    pub rest: String,
}

impl PersonaForm {
    /// The form of a document.
    pub fn of(content: &Map<String, Value>) -> Self {
        let mut rest = content.clone();
        let mut form = Self::default();
        for name in TEXTS {
            if rest.get(name).is_some_and(Value::is_string)
                && let Some(text) = rest.shift_remove(name)
            {
                form.texts.insert(name.to_owned(), text);
            }
        }
        for name in FLAGS {
            if rest.get(name) == Some(&Value::Bool(true)) {
                rest.shift_remove(name);
                form.flags.insert(name.to_owned());
            }
        }
        if rest.get(LENGTH).is_some_and(Value::is_number)
            && let Some(length) = rest.shift_remove(LENGTH)
        {
            form.length = length.to_string();
        }
        if let Some(Value::Object(turns)) = rest.get(DETECTION)
            && turns.iter().all(|(name, value)| {
                value.is_number() && TURNS.iter().any(|(turn, ..)| turn == name)
            })
        {
            form.turns = turns
                .iter()
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect();
            rest.shift_remove(DETECTION);
        }
        if let Some(Value::Array(fields)) = rest.get("overridable") {
            let names: Option<Vec<String>> = fields
                .iter()
                .map(|field| field.as_str().map(str::to_owned))
                .collect();
            if let Some(names) = names {
                form.overridable = names;
                rest.shift_remove("overridable");
            }
        }
        if !rest.is_empty() {
            form.rest = serde_json::to_string_pretty(&rest).unwrap_or_default();
        }
        form
    }

    /// What somebody sent.
    pub fn sent(sent: &Form) -> Self {
        let texts = TEXTS.iter().filter_map(|name| {
            let text = sent.get(name);
            (!text.is_empty()).then(|| ((*name).to_owned(), text.into()))
        });
        let turns = TURNS.iter().filter_map(|(name, ..)| {
            let number = sent.filled(name)?;
            Some(((*name).to_owned(), number.to_owned()))
        });
        Self {
            texts: texts.collect(),
            flags: FLAGS
                .into_iter()
                .filter(|name| sent.has(name))
                .map(str::to_owned)
                .collect(),
            length: sent.get(LENGTH).trim().to_owned(),
            turns: turns.collect(),
            overridable: sent.all("overridable").map(str::to_owned).collect(),
            rest: sent.get("rest").trim().to_owned(),
        }
    }

    /// The document that the form stands for, or what of the JSON can't be read.
    pub fn content(&self) -> Result<Map<String, Value>, Fault> {
        let mut content = self.texts.clone();
        for name in &self.flags {
            content.insert(name.clone(), true.into());
        }
        if !self.length.is_empty() {
            content.insert(LENGTH.to_owned(), number(&self.length));
        }
        if !self.turns.is_empty() {
            let turns: Map<String, Value> = self
                .turns
                .iter()
                .map(|(name, text)| (name.clone(), number(text)))
                .collect();
            content.insert(DETECTION.to_owned(), turns.into());
        }
        if !self.overridable.is_empty() {
            content.insert("overridable".to_owned(), self.overridable.clone().into());
        }
        if self.rest.is_empty() {
            return Ok(content);
        }
        match serde_json::from_str(&self.rest) {
            Ok(Value::Object(rest)) => {
                for (name, value) in rest {
                    content.entry(name).or_insert(value);
                }
                Ok(content)
            }
            Ok(_) => Err(rest_fault("must be an object: { … }".to_owned())),
            Err(error) => Err(rest_fault(error.to_string())),
        }
    }

    /// A text of the document.
    pub fn text(&self, name: &str) -> &str {
        self.texts
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Whether something is switched on.
    pub fn flag(&self, name: &str) -> bool {
        self.flags.contains(name)
    }

    /// A number of the turn-taking, as it was typed.
    pub fn turn(&self, name: &str) -> &str {
        let turn = self.turns.iter().find(|(turn, _)| turn == name);
        turn.map_or("", |(_, text)| text)
    }

    /// Whether users may choose a field.
    pub fn lets_choose(&self, name: &str) -> bool {
        self.overridable.iter().any(|field| field == name)
    }
}

/// Where the rest can't be read, the fault is beside it.
pub const REST: &str = "/rest";

fn rest_fault(message: String) -> Fault {
    Fault {
        pointer: REST.to_owned(),
        message,
        ..Fault::default()
    }
}

/// A number as it was typed; what is none stays a text, and the API says what is wrong with it.
fn number(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ Value::Number(_)) => value,
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_stays_what_it_is_through_its_form() {
        for content in [
            json!({}),
            json!({ "name": "Ann", "systemPrompt": "Be kind.\n", "avatarId": "a", "voiceId": "b", "llmId": "c" }),
            json!({ "skipGreeting": true, "uninterruptibleGreeting": false }),
            json!({ "maxSessionLengthSeconds": 600, "voiceDetectionOptions": { "endOfSpeechSensitivity": 0.30 } }),
            json!({ "voiceDetectionOptions": { "endOfSpeechSensitivity": "much", "other": 1 } }),
            json!({ "overridable": ["voiceId", "displayName"], "snippets": { "house-rules": 1 } }),
            json!({ "overridable": [7], "name": 3, "tools": [{ "type": "client" }], "tests": [] }),
        ] {
            let Value::Object(content) = content else {
                panic!()
            };
            let again = PersonaForm::of(&content).content();
            assert_eq!(again.ok().as_ref(), Some(&content), "{content:?}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_at_its_place() {
        let form = PersonaForm {
            rest: "{ nothing".to_owned(),
            ..PersonaForm::default()
        };
        assert_eq!(
            form.content().map_err(|fault| fault.pointer),
            Err(REST.to_owned())
        );
    }
}
