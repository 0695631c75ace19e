//! The texts of a decision: the persona's templates, rendered for one user.

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde_json::{Value, json};

use super::Moment;
use crate::domain::caller::Caller;
use crate::domain::fault::step;
use crate::domain::preferences::Preferences;
use crate::domain::request::Metadata;
use crate::domain::snapshot::{LivePersona, Snapshot};
use crate::domain::template::{Budget, Fence, RenderFault, Rendered, Template, TemplateInput};

/// As one user gets them.
pub(super) struct Texts {
    pub(super) name: String,
    pub(super) prompt: String,
    pub(super) greeting: Option<String>,
}

/// Renders them all; an error names the text by its pointer.
pub(super) fn render(
    snapshot: &Snapshot,
    words: &Value,
    persona: &LivePersona,
    caller: &Caller,
    preferences: &Preferences,
    metadata: &Metadata,
    moment: Moment,
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
    // One for all of them: a session costs no more, however its texts are divided.
    let mut budget = Budget::whole();
    for (key, snippet) in &persona.snippets {
        let text = snippet
            .render(&input, &mut budget)
            .map_err(|fault| (format!("/snippets{}", step(key.as_str())), fault))?;
        input.add_snippet(key.as_str(), text);
    }
    let mut say = |at: &str, template: &Template| {
        template
            .render(&input, &mut budget)
            .map(Rendered::into_text)
            .map_err(|fault| (at.to_owned(), fault))
    };
    Ok(Texts {
        name: say("/name", &persona.persona.name)?,
        prompt: say("/systemPrompt", &persona.persona.prompt)?,
        greeting: persona
            .persona
            .greeting
            .as_ref()
            .map(|greeting| say("/initialMessage", greeting))
            .transpose()?
            .filter(|text| !text.is_empty()),
    })
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
