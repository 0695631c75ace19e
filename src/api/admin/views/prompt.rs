//! The prompt of a session, and where each part of it comes from.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::decide::Decision;
use crate::domain::key::Key;
use crate::domain::template::{Origin, Piece};
use crate::domain::winner::Winner;

/// The prompt of a session: as long as its inputs are kept, it can be made again.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::admin) struct PromptKnown {
    /// Whether the prompt could be made again.
    known: bool,
    /// Why it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// Whether it is exactly what Anam was sent, as `exact` of a replay says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exact: Option<bool>,
    /// Its parts in their order: put together, they are the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parts: Option<Vec<PromptPart>>,
}

impl PromptKnown {
    pub(in crate::api::admin) fn from_decision(decision: &Decision, exact: bool) -> Self {
        Self {
            known: true,
            reason: None,
            exact: Some(exact),
            parts: Some(parts(decision)),
        }
    }

    pub(in crate::api::admin) fn missing(reason: impl Into<String>) -> Self {
        Self {
            known: false,
            reason: Some(reason.into()),
            exact: None,
            parts: None,
        }
    }
}

/// A part of a prompt, and where it comes from.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::admin) struct PromptPart {
    #[schema(example = "Sam Rivera")]
    text: String,
    /// `template`: the document's own words. `user`: a fact of the token. `preferences`, `metadata`, `context`, `persona`, `tenant`,
    /// `time`: a value of that name. `gateway`: the marks around what users and pages supply, and the sentence that explains them.
    /// `unknown`: the prompt has more parts than are distinguished.
    #[schema(
        example = "user",
        pattern = "^(template|user|preferences|metadata|context|persona|tenant|time|gateway|unknown)$"
    )]
    from: &'static str,
    /// Where a value stands, `*` for the items of a list. Of what a filter made, what it was made of; of several, the least trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "user.name")]
    path: Option<String>,
    /// The document that has the words or prints the value; absent where the user's own prompt takes the place of the persona's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    document: Option<PromptDocument>,
}

/// A document at a version.
#[derive(Debug, Serialize, ToSchema)]
struct PromptDocument {
    /// `persona` or `snippet`.
    #[schema(example = "persona", pattern = "^(persona|snippet)$")]
    kind: &'static str,
    /// The document's key.
    #[schema(example = "support-agent")]
    key: String,
    /// Its version; 0 is a draft.
    #[schema(example = 3)]
    version: i32,
}

pub(in crate::api::admin) fn parts(decision: &Decision) -> Vec<PromptPart> {
    let own = decision.trace.fields.get("systemPrompt") == Some(&Winner::Preference);
    let part = |piece: &Piece| {
        let (from, path) = match &piece.origin {
            Origin::Template => ("template", None),
            Origin::Value(source) => (source.root.name(), Some(source.path.to_string())),
            Origin::Gateway => ("gateway", None),
            Origin::Unknown => ("unknown", None),
        };
        PromptPart {
            text: piece.text.clone(),
            from,
            path,
            document: (!own).then(|| document(decision, piece)),
        }
    };
    decision.prompt.iter().map(part).collect()
}

fn document(decision: &Decision, piece: &Piece) -> PromptDocument {
    let named = |kind, key: &Key, version: i32| PromptDocument {
        kind,
        key: key.as_str().to_owned(),
        version,
    };
    let pinned = piece
        .snippet
        .as_deref()
        .and_then(|key| decision.trace.snippets.get_key_value(key));
    match pinned {
        Some((key, version)) => named("snippet", key, *version),
        None => named("persona", &decision.persona, decision.version),
    }
}
