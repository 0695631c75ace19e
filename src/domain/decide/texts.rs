//! The texts of a decision: the persona's templates, rendered for one user.

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde_json::{Value, json};

use super::Moment;
use crate::domain::caller::Caller;
use crate::domain::fault::step;
use crate::domain::preferences::Preferences;
use crate::domain::request::Metadata;
use crate::domain::snapshot::{LivePersona, Snapshot};
use crate::domain::template::{
    Budget, Fence, Origin, Piece, RenderFault, Rendered, Root, Source, Template, TemplateInput,
};

/// As one user gets them.
pub(super) struct Texts {
    pub(super) name: String,
    pub(super) prompt: String,
    /// The prompt's, if they were to be noted.
    pub(super) pieces: Vec<Piece>,
    pub(super) greeting: Option<String>,
    /// What was cut.
    pub(super) notes: Vec<String>,
}

/// Whether to record where parts of the prompt come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) enum PromptNotes {
    /// As for mints.
    Nothing,
    /// Where each piece of the prompt comes from.
    Origins,
}

/// Renders them all; an error names the text by its pointer.
#[expect(clippy::too_many_arguments, reason = "a decision has that many sides")]
pub(super) fn render(
    snapshot: &Snapshot,
    words: &Value,
    persona: &LivePersona,
    caller: &Caller,
    preferences: &Preferences,
    metadata: &Metadata,
    moment: Moment,
    prompt_notes: PromptNotes,
) -> Result<Texts, (String, RenderFault)> {
    let preferences = Value::Object(preferences.to_document());
    let time = time_words(snapshot, moment.now);
    let mut input = TemplateInput::new(Fence::new(moment.session.0.as_bytes()))
        .user(&caller.facts)
        .preferences(&preferences)
        .metadata(metadata.as_value())
        .context(words)
        .persona(&persona.words)
        .tenant(&snapshot.tenant_words)
        .time(&time);
    if prompt_notes == PromptNotes::Origins {
        input = input.noting_origins();
    }
    // One for all of them: a session costs no more, however its texts are divided.
    let mut budget = Budget::whole();
    for (key, snippet) in &persona.snippets {
        let text = snippet
            .render(&input, &mut budget)
            .map_err(|fault| (format!("/snippets{}", step(key.as_str())), fault))?;
        input.add_snippet(key.as_str(), text);
    }
    let mut notes = Vec::new();
    let mut say = |at: &str, template: &Template| {
        let text = template
            .render(&input, &mut budget)
            .map_err(|fault| (at.to_owned(), fault))?;
        if text.was_cut() {
            notes.push(format!(
                "{at}: a value, a list or the text itself was cut to its longest"
            ));
        }
        Ok(text)
    };
    let name = say("/name", &persona.persona.name)?.into_text();
    let prompt = say("/systemPrompt", &persona.persona.prompt)?;
    let greeting = persona
        .persona
        .greeting
        .as_ref()
        .map(|greeting| say("/initialMessage", greeting))
        .transpose()?
        .map(Rendered::into_text)
        .filter(|text| !text.is_empty());
    Ok(Texts {
        name,
        pieces: prompt.pieces(),
        prompt: prompt.into_text(),
        greeting,
        notes,
    })
}

/// A prompt of the user's own, in one piece.
pub(super) fn own_words(prompt: String) -> Vec<Piece> {
    let root = Root::Preferences;
    let path = format!("{}.systemPrompt", root.name()).into();
    let piece = Piece {
        text: prompt,
        origin: Origin::Value(Source { root, path }),
        snippet: None,
    };
    Vec::from_iter((!piece.text.is_empty()).then_some(piece))
}

fn time_words(snapshot: &Snapshot, now: DateTime<Utc>) -> Value {
    let local = now.with_timezone(&snapshot.policy.time_zone);
    json!({
        "date": local.format("%Y-%m-%d").to_string(),
        "time": local.format("%H:%M").to_string(),
        "weekday": local.format("%A").to_string(),
        "hour": local.hour(),
        "year": local.year(),
    })
}
