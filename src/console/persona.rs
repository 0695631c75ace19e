//! A persona while somebody writes it, with what a user would meet beside it.

use actix_web::web;
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::{Fault, Refused};
use super::choices::{Entry, Listed, Sample, documents, entries, samples};
use super::frame::{Frame, page, page_after};
use super::history;
use super::persona_form::{OVERRIDABLE, PersonaForm, TURNS};
use super::persona_preview::{PersonaPreview, TryAs};
use super::visit::{Answer, Form, Signed, see};
use super::writing::{
    Edit, Going, Saved, Writing, discard, in_document, rebase, release, save, seal,
};
use crate::domain::merge::{Choices, Conflict, Side};

const KIND: &str = "persona";

/// Most characters of a prompt template that the size meter shows; the API judges.
const PROMPT_CHARS: usize = 16_384;

#[derive(Debug, Template)]
#[template(path = "persona.html")]
struct PersonaPage {
    frame: Frame,
    writing: Writing,
    form: PersonaForm,
    /// What the form was loaded with, as JSON: what another's change is merged with.
    seen: String,
    avatars: Vec<Entry>,
    voices: Vec<Entry>,
    llms: Vec<Entry>,
    languages: Vec<Entry>,
    contexts: Vec<Listed>,
    snippets: Vec<Listed>,
    samples: Vec<Sample>,
    tried: TryAs,
    preview: PersonaPreview,
    findings: Vec<Finding>,
    refusal: Option<String>,
    faults: Vec<Fault>,
    conflicts: Vec<Conflict>,
    /// Who changed the same.
    conflicts_with: String,
    /// Whether the conflicts are with a version, not with another's draft.
    conflicts_with_version: bool,
    note: String,
    percent: String,
    from: String,
}

/// Something found in a draft.
#[derive(Debug, Clone, Deserialize)]
pub struct Finding {
    pub severity: String,
    pub pointer: String,
    pub line: Option<usize>,
    pub message: String,
    pub advice: String,
}

#[derive(Debug, Deserialize)]
struct Validation {
    findings: Vec<Finding>,
}

/// What a page is rendered with besides what is stored.
#[derive(Debug, Default)]
struct Typed {
    form: Option<PersonaForm>,
    /// What the form was loaded with, if not with what is stored now.
    seen: Option<(Option<String>, String, String)>,
    tried: TryAs,
    refused: Option<Refused>,
    faults: Vec<Fault>,
    conflicts: Vec<Conflict>,
    conflicts_with: String,
    conflicts_with_version: bool,
    going: (String, String, String),
}

/// The editor.
pub async fn show(signed: Signed, key: web::Path<String>) -> Answer {
    let tried = TryAs {
        context: first_context(&signed, &key).await?,
        name: "Kim Lee".to_owned(),
        ..TryAs::default()
    };
    let typed = Typed {
        tried,
        ..Typed::default()
    };
    render(&signed, &key, typed).await
}

/// The preview alone, for the script that shows it while somebody types.
pub async fn preview(signed: Signed, key: web::Path<String>, sent: Form) -> Answer {
    let content = PersonaForm::sent(&sent).content();
    let preview = tried(&signed, &key, &content, &TryAs::sent(&sent)).await?;
    Ok(page(&preview))
}

/// What somebody does with the persona: the button that they pressed says it.
pub async fn act(signed: Signed, key: web::Path<String>, sent: Form) -> Answer {
    let form = PersonaForm::sent(&sent);
    let text = |name| sent.get(name).to_owned();
    let seen = sent.filled("draft").map(str::to_owned);
    let mut typed = Typed {
        tried: TryAs::sent(&sent),
        seen: Some((seen.clone(), text("etag"), text("seen"))),
        going: (text("note"), text("percent"), text("from")),
        ..Typed::default()
    };
    let here = format!("/console/personas/{}", key.as_str());
    match (sent.get("do"), &seen) {
        ("discard", Some(id)) => {
            discard(&signed.api, id).await?;
            return Ok(see(&format!("{here}?said=draft-discarded")));
        }
        ("rebase", Some(id)) => {
            return match rebase(&signed.api, id, &choices(&sent)).await {
                Ok(()) => Ok(see(&format!("{here}?said=draft-merged"))),
                Err(refused) if refused.code == "merge_conflict" => {
                    typed.conflicts = conflicts_of(&refused);
                    typed.conflicts_with_version = true;
                    typed.seen = None;
                    render(&signed, &key, typed).await
                }
                Err(refused) => Err(refused),
            };
        }
        _ => {}
    }
    let content = match form.content() {
        Ok(content) => content,
        Err(fault) => {
            typed.faults.push(fault);
            typed.form = Some(form);
            return render(&signed, &key, typed).await;
        }
    };
    let publishes = sent.get("do") == "publish";
    if !publishes && sent.get("do") != "save" {
        typed.form = Some(form);
        return render(&signed, &key, typed).await;
    }
    let edit = Edit {
        draft: seen,
        etag: text("etag"),
        seen: serde_json::from_str(sent.get("seen")).unwrap_or_default(),
        content,
        choices: choices(&sent),
    };
    let (draft, etag) = match save(&signed.api, KIND, &key, &edit).await {
        Ok(Saved::Done {
            draft,
            etag,
            merged,
        }) => {
            if !publishes || merged {
                let said = if merged {
                    "draft-joined"
                } else {
                    "draft-saved"
                };
                return Ok(see(&format!("{here}?said={said}")));
            }
            (draft, etag)
        }
        Ok(Saved::Conflicts { conflicts, by }) => {
            typed.form = Some(form);
            typed.conflicts = conflicts;
            typed.conflicts_with = by;
            return render(&signed, &key, typed).await;
        }
        Err(refused) => return refuse(&signed, &key, typed, form, refused).await,
    };
    let going = Going {
        note: text("note"),
        percent: sent
            .filled("percent")
            .and_then(|percent| percent.parse().ok()),
        from: sent.filled("from").map(|from| format!("{from}:00Z")),
    };
    typed.seen = None;
    let version = match seal(&signed.api, &draft, &etag, &going.note).await {
        Ok(version) => version,
        Err(refused) => return refuse(&signed, &key, typed, form, refused).await,
    };
    match release(&signed.api, KIND, &key, version, &going).await {
        Ok(()) => Ok(see(&format!("{here}?said={}", going.said()))),
        // It is sealed: the history says what it waits for, and offers the release.
        Err(refused) => history::show_refused(&signed, KIND, &key, &refused).await,
    }
}

async fn refuse(
    signed: &Signed,
    key: &str,
    mut typed: Typed,
    form: PersonaForm,
    refused: Refused,
) -> Answer {
    typed.faults.clone_from(&refused.errors);
    typed.form = Some(form);
    typed.refused = Some(refused);
    render(signed, key, typed).await
}

/// Whose value stays: the fields `keep:<pointer>`.
fn choices(sent: &Form) -> Choices {
    let chosen = sent.fields().filter_map(|(name, side)| {
        let pointer = name.strip_prefix("keep:")?;
        Some((pointer.to_owned(), Side::named(side)?))
    });
    chosen.collect()
}

/// What two changed, as the API tells it.
fn conflicts_of(refused: &Refused) -> Vec<Conflict> {
    let conflict = |told: &Value| {
        Some(Conflict {
            pointer: told.get("pointer")?.as_str()?.to_owned(),
            base: told.get("base").cloned(),
            ours: told.get("ours").cloned(),
            theirs: told.get("theirs").cloned(),
        })
    };
    refused.conflicts.iter().filter_map(conflict).collect()
}

/// A context whose rules give the persona, to try it in.
async fn first_context(signed: &Signed, key: &str) -> Result<String, Refused> {
    let all = documents(&signed.api).await?;
    for listed in all
        .iter()
        .filter(|one| one.kind == "context" && one.live_version.is_some())
    {
        #[derive(Deserialize)]
        struct Context {
            #[serde(default)]
            content: Map<String, Value>,
        }
        let path = super::writing::address("context", &listed.key);
        let context: Context = signed.api.get(&path).await?;
        if context.content.get("default").and_then(Value::as_str) == Some(key) {
            return Ok(listed.key.clone());
        }
    }
    Ok(String::new())
}

async fn tried(
    signed: &Signed,
    key: &str,
    content: &Result<Map<String, Value>, Fault>,
    tried: &TryAs,
) -> Result<PersonaPreview, Refused> {
    match content {
        Ok(content) => PersonaPreview::of(&signed.api, signed.texts, key, content, tried).await,
        Err(fault) => Ok(PersonaPreview::unreadable(signed.texts, fault.clone())),
    }
}

async fn render(signed: &Signed, key: &str, typed: Typed) -> Answer {
    let api = &signed.api;
    let mut writing = Writing::load(api, KIND, key, signed.parameter("draft").as_deref()).await?;
    let form = typed
        .form
        .unwrap_or_else(|| PersonaForm::of(&writing.content));
    let mut seen = serde_json::to_string(&writing.content).unwrap_or_default();
    if let Some((draft, etag, shown)) = typed.seen
        && !shown.is_empty()
    {
        // What is saved later is compared with what this page began with.
        seen = shown;
        writing.etag = etag;
        writing.draft = writing
            .draft
            .filter(|known| Some(&known.id) == draft.as_ref());
    }
    let all = documents(api).await?;
    let of_kind = |kind: &str| -> Vec<Listed> {
        all.iter()
            .filter(|one| one.kind == kind && one.archived_at.is_none())
            .cloned()
            .collect()
    };
    let preview = tried(signed, key, &form.content(), &typed.tried).await?;
    let mut findings = Vec::new();
    if let Some(refused) = &typed.refused {
        findings = refused
            .findings
            .iter()
            .filter_map(|finding| serde_json::from_value(finding.clone()).ok())
            .collect();
    } else if let (Some(draft), true) = (&writing.draft, signed.account.may(super::EDITOR)) {
        let path = format!("/v1/admin/drafts/{}:validate", draft.id);
        let found: Validation = api.post(&path, &Value::Object(Map::new())).await?;
        findings = found.findings;
    }
    let refused = typed.refused;
    let name = form.text("name");
    let title = if name.is_empty() { key } else { name };
    let shown = PersonaPage {
        frame: Frame::new(signed, title),
        avatars: entries(api, "avatar").await?,
        voices: entries(api, "voice").await?,
        llms: entries(api, "llm").await?,
        languages: entries(api, "language").await?,
        contexts: of_kind("context"),
        snippets: of_kind("snippet"),
        samples: samples(api).await?,
        writing,
        form,
        seen,
        tried: typed.tried,
        preview,
        findings,
        refusal: refused.as_ref().map(|refused| refused.words().to_owned()),
        faults: typed.faults,
        conflicts: typed.conflicts,
        conflicts_with: typed.conflicts_with,
        conflicts_with_version: typed.conflicts_with_version,
        note: typed.going.0,
        percent: typed.going.1,
        from: typed.going.2,
    };
    Ok(page_after(refused.as_ref(), &shown))
}

impl PersonaPage {
    fn t(&self, name: &str) -> String {
        self.frame.t(name)
    }

    /// What is wrong at a place, if it is.
    fn fault(&self, at: &str) -> Option<String> {
        let faults = self.faults.iter().filter(|fault| {
            let rest = in_document(fault).strip_prefix(at);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let words: Vec<&str> = faults.map(|fault| fault.message.as_str()).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// What is wrong with a member.
    fn fault_of(&self, member: &str) -> Option<String> {
        self.fault(&format!("/{member}"))
    }

    /// The settings that are chosen from lists of the catalogue.
    fn lists(&self) -> [(&'static str, &'static str, &[Entry]); 3] {
        [
            ("voiceId", "persona-voice", &self.voices),
            ("llmId", "persona-llm", &self.llms),
            ("languageCode", "persona-language", &self.languages),
        ]
    }

    /// Whether an entry that the document names is not in the catalogue.
    fn is_unknown(&self, name: &str, entries: &[Entry]) -> bool {
        let id = self.form.text(name);
        !id.is_empty() && entries.iter().all(|entry| entry.id != id)
    }

    /// A value of a conflict, as people read it.
    fn shown(&self, value: Option<&Value>) -> String {
        match value {
            None => self.t("nothing"),
            Some(Value::String(text)) => text.clone(),
            Some(other) => serde_json::to_string_pretty(other).unwrap_or_default(),
        }
    }
}

/// The list's page of this persona's history.
pub async fn show_history(signed: Signed, key: web::Path<String>) -> Answer {
    history::show(&signed, KIND, &key).await
}

/// What somebody does in the history.
pub async fn act_history(signed: Signed, key: web::Path<String>, sent: Form) -> Answer {
    history::act(&signed, KIND, &key, &sent).await
}
