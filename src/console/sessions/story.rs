//! One session: who asked, what was decided and why, and what became of it.

use askama::Template;
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::Value;

use super::list::{Given, colour};
use super::trace::{ContextContent, Field, RuleExplained, SessionFacts, Trace, fields};
use crate::console::api::encode;
use crate::console::frame::{Frame, page};
use crate::console::parts::{At, Listed, words_of};
use crate::console::texts::Texts;
use crate::console::visit::{Answer, Signed};
use crate::console::writing::name_of;
use actix_web::web;

/// A session, explained.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    id: String,
    #[serde(default)]
    request_id: Option<String>,
    at: At,
    user: User,
    inputs: Inputs,
    context: String,
    persona: Given,
    #[serde(default)]
    trace: Trace,
    #[serde(default)]
    versions: Vec<Used>,
    outcome: Outcome,
    #[serde(default)]
    timings: Option<Timings>,
    config_hash: String,
    anam: Anam,
    prompt: Prompt,
    #[serde(default)]
    sent: Option<Value>,
    #[serde(default)]
    test: Option<Tested>,
}

/// What a test call was made with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tested {
    by: String,
    #[serde(default)]
    r#use: Vec<Value>,
    #[serde(default)]
    left_out_tools: Vec<String>,
}

impl Tested {
    /// Who made it, without what kind of actor they are.
    fn who(&self) -> &str {
        name_of(&self.by)
    }

    /// The context that was put in place.
    fn context(&self, key: &str) -> Option<ContextContent> {
        let is_it = |used: &&Value| used.get("kind").is_some_and(|kind| kind == "context");
        let used = self.r#use.iter().rev().find(is_it)?;
        let content = used
            .get("content")
            .filter(|_| used.get("key").is_some_and(|own| own == key))?;
        serde_json::from_value(content.clone()).ok()
    }
}

#[derive(Debug, Deserialize)]
struct User {
    issuer: Issuer,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Issuer {
    #[serde(default)]
    url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inputs {
    kept: bool,
    #[serde(default)]
    kept_until: Option<At>,
    #[serde(default)]
    values: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    kind: String,
    key: String,
    version: i32,
    state: String,
    #[serde(default)]
    live_version: Option<i32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    result: String,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    expires_at: Option<At>,
    #[serde(default)]
    token_hash: Option<String>,
}

impl Outcome {
    fn colour(&self) -> &'static str {
        colour(&self.result)
    }
}

#[derive(Debug, Deserialize)]
struct Timings {
    #[serde(default)]
    auth: Option<f64>,
    #[serde(default)]
    decide: Option<f64>,
    #[serde(default)]
    anam: Option<f64>,
    #[serde(default)]
    total: Option<f64>,
}

impl Timings {
    /// Each part that was measured, by the name of its text.
    fn measured(&self, texts: Texts) -> Vec<(&'static str, String)> {
        let parts = [
            ("timing-auth", self.auth),
            ("timing-decide", self.decide),
            ("timing-anam", self.anam),
            ("timing-total", self.total),
        ];
        let told = parts.into_iter();
        told.filter_map(|(name, took)| Some((name, texts.decimal(took?))))
            .collect()
    }
}

#[derive(Debug, Deserialize)]
struct Anam {
    known: bool,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    sessions: Vec<AnamSession>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnamSession {
    id: String,
    #[serde(default)]
    start_time: Option<At>,
    #[serde(default)]
    end_time: Option<At>,
    #[serde(default)]
    exit_status: Option<String>,
    #[serde(default)]
    session_length_ms: Option<i64>,
}

impl AnamSession {
    fn seconds(&self) -> Option<String> {
        let length = self.session_length_ms?;
        Some(format!("{}:{:02}", length / 60_000, length / 1_000 % 60))
    }
}

#[derive(Debug, Deserialize)]
struct Prompt {
    known: bool,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    exact: Option<bool>,
    #[serde(default)]
    parts: Vec<Part>,
}

/// A part of a prompt, and where it comes from.
#[derive(Debug, Deserialize)]
pub struct Part {
    pub text: String,
    pub from: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    document: Option<PartDocument>,
}

#[derive(Debug, Deserialize)]
struct PartDocument {
    kind: String,
    key: String,
}

impl Part {
    /// The class of its mark; of a persona's own words none.
    pub fn class(&self) -> &'static str {
        match self.from.as_str() {
            "user" | "metadata" | "preferences" | "context" => "part from-user",
            "template" if self.is_snippet() => "part from-snippet",
            "template" => "",
            "gateway" => "part from-gateway",
            _ => "part",
        }
    }

    fn is_snippet(&self) -> bool {
        let document = self.document.as_ref();
        document.is_some_and(|document| document.kind == "snippet")
    }

    /// Where it comes from, to be read on hover.
    pub fn origin(&self) -> String {
        match (&self.path, &self.document) {
            (Some(path), _) => path.clone(),
            (None, Some(document)) => format!("{}/{}", document.kind, document.key),
            (None, None) => self.from.clone(),
        }
    }
}

/// Everything that a page or a user brought along, one line each.
fn brought(values: &Value) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (root, name) in [
        ("facts", "user"),
        ("preferences", "preferences"),
        ("metadata", "metadata"),
    ] {
        let members = values.get(root).and_then(Value::as_object);
        for (key, value) in members.into_iter().flatten() {
            lines.push((format!("{name}.{key}"), words_of(value)));
        }
    }
    lines
}

/// A draft that a session can be decided with again.
#[derive(Debug, Deserialize)]
pub struct Draft {
    pub id: String,
    pub kind: String,
    pub key: String,
    #[serde(default)]
    pub title: String,
}

/// The drafts of the documents that went into a session.
async fn drafts(signed: &Signed, explained: &Explained) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for version in &explained.versions {
        let (kind, key) = (&version.kind, encode(&version.key));
        let path = format!("/v1/admin/documents/{kind}/{key}/drafts");
        let of_it: Listed<Draft> = signed.api.get(&path).await.unwrap_or_default();
        drafts.extend(of_it.items);
    }
    drafts
}

#[derive(Debug, Deserialize)]
struct ContextVersion {
    content: ContextContent,
}

async fn context_content(signed: &Signed, trace: &Trace) -> ContextContent {
    let path = format!(
        "/v1/admin/documents/context/{}/versions/{}",
        encode(&trace.context.key),
        trace.context.version
    );
    let version = signed.api.get::<ContextVersion>(&path).await;
    version.map(|version| version.content).unwrap_or_default()
}

/// In which rules read the time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Zone {
    time_zone: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

/// Says avatars, voices and LLMs by their names.
async fn name(signed: &Signed, fields: &mut [Field]) {
    for field in fields {
        let kind = match field.name.as_str() {
            "avatarId" => "avatar",
            "voiceId" => "voice",
            "llmId" => "llm",
            "languageCode" => "language",
            _ => continue,
        };
        let path = format!("/v1/admin/catalogue/{kind}/{}", encode(&field.value));
        let entry = signed.api.get::<Named>(&path).await;
        field.known_as = entry.ok().map(|entry| entry.name);
    }
}

#[derive(Debug, Template)]
#[template(path = "sessions/story.html")]
struct StoryPage {
    frame: Frame,
    rules: Vec<RuleExplained>,
    fields: Vec<Field>,
    brought: Vec<(String, String)>,
    drafts: Vec<Draft>,
    asked: Option<String>,
    greeting: Option<String>,
    persona_name: Option<String>,
    /// Whether whoever made the test call chose the persona, and no rule was asked.
    is_chosen: bool,
    session: Explained,
}

impl StoryPage {
    /// How the persona was drawn, where a split decided.
    fn split(&self) -> Option<String> {
        let split = self.session.trace.split.as_ref()?;
        let (arm, weights) = ((split.arm + 1).to_string(), split.weights.to_string());
        let words = self
            .frame
            .t2("story-split", ("arm", &arm), ("weights", &weights));
        Some(words)
    }
}

/// A session.
pub async fn show(signed: Signed, id: web::Path<String>) -> Answer {
    let path = format!("/v1/admin/sessions/{}", encode(&id));
    let session: Explained = signed.api.get(&path).await?;
    let tried = session.test.as_ref();
    let placed = tried.and_then(|test| test.context(&session.trace.context.key));
    let persona = session.trace.persona.key.as_str();
    let is_chosen = placed
        .as_ref()
        .is_some_and(|content| content.gives_only(persona));
    let content = match placed {
        Some(content) => content,
        None => context_content(&signed, &session.trace).await,
    };
    let zone: Zone = signed.api.get("/v1/admin/policy").await?;
    let zone = zone.time_zone.unwrap_or_default();
    let values = session.inputs.values.as_ref();
    let mut fields = fields(&session.trace, session.sent.as_ref());
    name(&signed, &mut fields).await;
    let config = |name| {
        let sent = session.sent.as_ref()?.get("personaConfig")?.get(name)?;
        Some(sent.as_str()?.to_owned())
    };
    Ok(page(&StoryPage {
        frame: Frame::new(&signed, signed.texts.say("session")),
        rules: session.trace.explained(
            &content,
            &SessionFacts {
                texts: signed.texts,
                inputs: values,
                at: session
                    .at
                    .moment()
                    .map(|at| at.with_timezone(&zone.parse::<Tz>().unwrap_or(Tz::UTC))),
            },
        ),
        brought: values.map(brought).unwrap_or_default(),
        drafts: drafts(&signed, &session).await,
        asked: values
            .and_then(|values| values.get("context"))
            .and_then(Value::as_str)
            .map(str::to_owned),
        greeting: config("initialMessage"),
        persona_name: config("name"),
        is_chosen,
        fields,
        session,
    }))
}
