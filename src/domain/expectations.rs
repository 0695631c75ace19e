//! Whether a kept test holds, and in words that help where it does not.

use serde_json::Value;

use super::decide::{Decision, Undecided};
use super::decimal::are_equal;
use super::fault::{Fault, Faults, step};
use super::kept_test::KeptTest;
use super::trace::Trace;
use super::winner::Winner;
use super::wrong::Wrong;

impl KeptTest {
    /// Every expectation that the outcome does not meet; pointers start at the test.
    pub fn failures(&self, outcome: &Result<Decision, Undecided>) -> Vec<Fault> {
        match outcome {
            Ok(decision) => self.failures_of(decision),
            Err(Undecided::MetadataInvalid(found)) => {
                let mut faults = Faults::new();
                let text = "gets no persona: the metadata does not fit the context";
                faults.add("", Wrong::Unfit.worded(text));
                faults.extend_under("/metadata", found.iter().cloned());
                faults.into_vec()
            }
            Err(undecided) => {
                vec![Fault::new("", Wrong::NoPersona(undecided.to_string()))]
            }
        }
    }

    fn failures_of(&self, decision: &Decision) -> Vec<Fault> {
        let mut faults = Faults::new();
        if let Some(expected) = &self.expect.persona
            && *expected != decision.persona
        {
            faults.add(
                "/expect/persona",
                Wrong::OtherPersona {
                    expected: expected.to_string(),
                    got: decision.persona.to_string(),
                }
                .worded(format!(
                    "expected the persona `{expected}`, got `{}` by {}",
                    decision.persona,
                    reason(&decision.trace)
                )),
            );
        }
        let sent = if self.expect.fields.is_empty() {
            Value::Null
        } else {
            anam_request(decision)
        };
        for (pointer, expected) in &self.expect.fields {
            let actual = sent.pointer(pointer).unwrap_or(&Value::Null);
            if !are_equal(expected, actual) {
                faults.add(
                    format!("/expect/fields{}", step(pointer)),
                    Wrong::OtherValue {
                        expected: shorten(expected),
                        got: shorten(actual),
                    }
                    .worded(format!(
                        "expected {}, got {}{}",
                        shorten(expected),
                        shorten(actual),
                        from(pointer, &decision.trace)
                    )),
                );
            }
        }
        let prompt = &decision.config.system_prompt;
        for (index, text) in self.expect.prompt_contains.iter().enumerate() {
            if !prompt.contains(text.as_str()) {
                faults.add(
                    format!("/expect/promptContains/{index}"),
                    Wrong::PromptLacks(shorten(&Value::from(text.as_str()))),
                );
            }
        }
        for (index, text) in self.expect.prompt_lacks.iter().enumerate() {
            if let Some(line) = line_of(prompt, text) {
                faults.add(
                    format!("/expect/promptLacks/{index}"),
                    Wrong::PromptHolds {
                        text: shorten(&Value::from(text.as_str())),
                        at: line,
                    },
                );
            }
        }
        let chars = prompt.chars().count();
        if let Some(most) = self.expect.prompt_max_chars
            && chars > most
        {
            faults.add("/expect/promptMaxChars", Wrong::LongPrompt { chars, most });
        }
        faults.into_vec()
    }
}

/// What Anam is sent, with its session options beside the rest.
fn anam_request(decision: &Decision) -> Value {
    let mut config = serde_json::to_value(&decision.config).unwrap_or_default();
    if let (Value::Object(members), Ok(options)) =
        (&mut config, serde_json::to_value(&decision.session_options))
    {
        members.insert("sessionOptions".into(), options);
    }
    config
}

/// Which rule gave the persona.
fn reason(trace: &Trace) -> String {
    let held = trace
        .rules
        .iter()
        .enumerate()
        .find(|(_, rule)| rule.failed_clause.is_none());
    let why = match held {
        Some((index, rule)) => format!("rule {} (`{}`)", index + 1, rule.rule),
        None => "the default".to_owned(),
    };
    let arm = trace.split.as_ref().map_or_else(String::new, |split| {
        format!(", arm {} of its split", split.arm + 1)
    });
    let missed = match (held, trace.rules.first()) {
        (None, Some(rule)) => rule
            .failed_attribute
            .as_ref()
            .map_or_else(String::new, |on| {
                let at = rule.failed_clause.unwrap_or_default();
                let why = rule.remarks.get(&at);
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                format!("; rule 1 (`{}`) failed on {on}{why}", rule.rule)
            }),
        _ => String::new(),
    };
    format!("{why} of the context `{}`{arm}{missed}", trace.context.key)
}

/// The source whose value a field has.
fn from(pointer: &str, trace: &Trace) -> &'static str {
    let path = pointer.trim_start_matches('/').replace('/', ".");
    match trace.fields.get(&path) {
        Some(Winner::Lock) => ", which the policy locks",
        Some(Winner::Preference) => ", which the user prefers",
        Some(Winner::Persona) => ", which the persona says",
        Some(Winner::Default) => ", the policy's default",
        Some(Winner::Gateway) => ", the gateway's own default",
        None => "",
    }
}

/// A value for a message: nothing long.
fn shorten(value: &Value) -> String {
    const MOST: usize = 120;
    if value.is_null() {
        return "nothing".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The line of the first place that holds `part`, counted from 1.
fn line_of(text: &str, part: &str) -> Option<usize> {
    let before = text.get(..text.find(part)?)?;
    Some(before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests;
