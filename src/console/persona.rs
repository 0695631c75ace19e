//! A persona while somebody writes it, with what a user would meet beside it.

use actix_web::http::StatusCode;
use actix_web::web;
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::{Api, Fault, Refused};
use super::choices::{DocumentLine, Entry, Sample, documents, entries, samples};
use super::findings::{Finding, Validation, in_document};
use super::frame::{Frame, page};
use super::history;
use super::media;
use super::persona_form::{OVERRIDABLE, PersonaForm, TURNS};
use super::persona_preview::{PersonaPreview, TryAs};
use super::said::{self, Said};
use super::saving::{Contest, Outcome, Sent, Stay};
use super::visit::{Answer, Form, Signed};
use super::writing::{Begun, Writing};

const KIND: &str = "persona";

/// Most characters of a prompt template that the size meter shows; the API judges.
const PROMPT_CHARS: usize = 16_384;

#[derive(Debug, Template)]
#[template(path = "persona.html")]
struct PersonaPage {
    frame: Frame,
    writing: Writing,
    form: PersonaForm,
    avatars: Vec<Entry>,
    voices: Vec<Entry>,
    llms: Vec<Entry>,
    languages: Vec<Entry>,
    contexts: Vec<DocumentLine>,
    snippets: Vec<DocumentLine>,
    samples: Vec<Sample>,
    tried: TryAs,
    preview: PersonaPreview,
    findings: Vec<Finding>,
    refused: Option<Refused>,
    faults: Vec<Fault>,
    contest: Contest,
    /// Whether something is wrong that kept a button from doing what it does.
    is_held: bool,
    /// Whether that is so although the draft was saved.
    is_saved: bool,
    /// What the tenant's policy puts in for settings that a persona leaves open.
    defaults: Value,
    note: String,
    percent: String,
    from: String,
    /// Of that moment.
    zone: String,
}

/// What a page is rendered with besides what is stored.
#[derive(Debug, Default)]
struct Typed {
    form: Option<PersonaForm>,
    /// Why the form is shown again.
    stay: Option<Stay>,
    tried: TryAs,
    faults: Vec<Fault>,
    going: (String, String, String, String),
    /// Whether somebody pressed a button that does more than show the preview.
    is_act: bool,
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
pub async fn act(signed: Signed, key: web::Path<String>, form: Form) -> Answer {
    let tried = TryAs::sent(&form);
    let sent = Sent::new(&signed, KIND, &key, &form).talking(tried.talking());
    if form.get("do") == "discard" {
        return sent.discard().await;
    }
    let text = |name| form.get(name).to_owned();
    let mut typed = Typed {
        form: Some(PersonaForm::sent(&form)),
        tried,
        going: (text("note"), text("percent"), text("from"), text("zone")),
        is_act: form.get("do") != "preview",
        ..Typed::default()
    };
    let content = PersonaForm::sent(&form).content();
    let stay = match (&content, form.get("do")) {
        (Ok(content), "save" | "publish" | "talk" | "rebase") => match sent.act(content).await? {
            Outcome::Done(page) => return Ok(page),
            Outcome::Stays(stay) => *stay,
        },
        _preview => Stay {
            begun: Begun::sent(&form),
            ..Stay::default()
        },
    };
    typed.faults.extend(content.err());
    typed.stay = Some(stay);
    render(&signed, &key, typed).await
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
    let mut writing = Writing::load(signed, KIND, key).await?;
    let form = typed
        .form
        .unwrap_or_else(|| PersonaForm::of(&writing.begun.content));
    if let Some(stay) = &typed.stay {
        writing.go_on(stay.begun.clone());
    }
    let all = documents(api).await?;
    let of_kind = |kind: &str| -> Vec<DocumentLine> {
        all.iter()
            .filter(|one| one.kind == kind && one.archived_at.is_none())
            .cloned()
            .collect()
    };
    let preview = tried(signed, key, &form.content(), &typed.tried).await?;
    let status = typed.stay.as_ref().map_or(StatusCode::OK, Stay::status);
    let stay = typed.stay.unwrap_or_default();
    let is_saved = !stay.found.is_empty();
    let mut findings = stay.found;
    if let (true, Some(draft), true) = (
        findings.is_empty(),
        &writing.draft,
        signed.account.may(super::EDITOR),
    ) {
        let path = format!("/v1/admin/drafts/{}", draft.id);
        findings = Validation::ask(api, &path).await?.all();
    }
    let mut faults = typed.faults;
    match &stay.refused {
        Some(refused) => faults.extend_from_slice(&refused.errors),
        None => faults.extend(
            findings
                .iter()
                .filter(|one| one.is_error())
                .map(Finding::fault),
        ),
    }
    let is_held = typed.is_act && stay.contest.is_empty() && !faults.is_empty();
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
        tried: typed.tried,
        preview,
        findings,
        refused: stay.refused,
        faults,
        contest: stay.contest,
        is_held,
        is_saved,
        defaults: defaults(api).await?,
        note: typed.going.0,
        percent: typed.going.1,
        from: typed.going.2,
        zone: typed.going.3,
    };
    let entries = shown.avatars.iter().chain(&shown.voices);
    let attributes = entries.map(|entry| &entry.attributes);
    Ok(media::page(status, &shown, attributes))
}

/// What the tenant's policy puts in for settings that personas leave open.
async fn defaults(api: &Api) -> Result<Value, Refused> {
    let mut policy: Value = api.get("/v1/admin/policy").await?;
    Ok(policy
        .get_mut("defaults")
        .map(Value::take)
        .unwrap_or_default())
}

impl PersonaPage {
    /// What kept the button from doing what it does.
    fn held(&self) -> &'static str {
        if self.is_saved {
            "not-published"
        } else {
            "see-faults"
        }
    }

    /// Everything that is wrong.
    fn said_faults(&self) -> Vec<Said> {
        let texts = self.frame.texts();
        self.faults.iter().map(|fault| fault.said(texts)).collect()
    }

    /// What a setting is that is chosen from the catalogue and left open.
    fn default_of(&self, member: &str, entries: &[Entry]) -> String {
        match self.defaults.get(member).and_then(Value::as_str) {
            Some(id) => {
                let named = entries.iter().find(|entry| entry.id == id);
                let name = named.map_or(id, |entry| entry.name.as_str());
                self.frame.t1("tenants-default-is", "value", name)
            }
            None if member == "languageCode" => self.frame.t("tenants-default-open"),
            None => self.frame.t("tenants-default-none"),
        }
    }

    /// What a number is that is left open.
    fn default_number(&self, at: &str) -> String {
        match self.defaults.pointer(at) {
            Some(number) => {
                let number = number.to_string();
                self.frame.t1("tenants-default-is", "value", number)
            }
            None => self.frame.t("tenants-default-open"),
        }
    }

    fn t(&self, name: &str) -> String {
        self.frame.t(name)
    }

    /// What is wrong at a place, if it is.
    fn fault(&self, at: &str) -> Option<Said> {
        let faults = self.faults.iter().filter(|fault| {
            let rest = in_document(fault).strip_prefix(at);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let texts = self.frame.texts();
        let said: Vec<Said> = faults.map(|fault| fault.said(texts)).collect();
        said::together(&said)
    }

    /// What is wrong with a member.
    fn fault_of(&self, member: &str) -> Option<Said> {
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

    /// How the voice that the form names sounds.
    fn sound<'a>(&self, voices: &'a [Entry]) -> Option<&'a str> {
        let chosen = self.form.text("voiceId");
        let voice = voices.iter().find(|voice| voice.id == chosen)?;
        voice.sound()
    }

    /// Whether an entry that the document names is not in the catalogue.
    fn is_unknown(&self, name: &str, entries: &[Entry]) -> bool {
        let id = self.form.text(name);
        !id.is_empty() && entries.iter().all(|entry| entry.id != id)
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
