//! A test call for the page's script: the token, and who answers why, in words.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::choice::{Choice, Desk};
use crate::console::api::Refused;
use crate::console::contexts::fields::Fields;
use crate::console::contexts::words;
use crate::console::texts::Texts;
use crate::console::visit::{Answer, Form, Signed};

/// What the API gives.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Minted {
    session_token: String,
    session_id: String,
    persona: Persona,
    context: String,
    #[serde(default)]
    greeting: Option<String>,
    #[serde(default)]
    max_session_length_seconds: Option<u32>,
    tools: Vec<String>,
    left_out_tools: Vec<String>,
    trace: Trace,
}

#[derive(Debug, Deserialize)]
struct Persona {
    key: String,
    version: i32,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Trace {
    rules: Vec<RuleTried>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleTried {
    failed_clause: Option<usize>,
}

/// What the script is given.
#[derive(Debug, Serialize)]
struct CallStarted {
    token: String,
    session: String,
    /// The persona's display name.
    name: String,
    /// Which version of it.
    version: String,
    /// Who decided.
    by: String,
    greeting: Option<String>,
    limit: Option<u32>,
    /// What to know of the persona's tools.
    notes: Vec<String>,
}

/// `POST /console/talk/call`.
pub async fn start(signed: Signed, sent: Form) -> Answer {
    match begun(&signed, &sent).await {
        Ok(started) => Ok(HttpResponse::Ok().json(started)),
        // Shown by the script; a session that has ended is a matter of the page.
        Err(refused) if !refused.is_signed_out() => Ok(refusal(&refused)),
        Err(refused) => Err(refused),
    }
}

async fn begun(signed: &Signed, sent: &Form) -> Result<CallStarted, Refused> {
    let mut choice = Choice::read(&Fields::new(sent.fields()));
    let desk = Desk::open(&signed.api, &mut choice, false).await?;
    if choice.kind.is_empty() {
        return Err(Refused::own(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_request",
            signed.texts.say("talk-choose"),
        ));
    }
    let body = choice.body(&signed.api, &desk).await?;
    let minted: Minted = signed.api.post("/v1/admin/test-calls", &body).await?;
    let texts = signed.texts;
    Ok(CallStarted {
        by: by(texts, &choice, &desk, &minted),
        version: match minted.persona.version {
            0 => texts.with("talk-of-draft", "key", minted.persona.key.as_str()),
            number => texts.with_all(
                "talk-of-version",
                &[
                    ("key", minted.persona.key.as_str()),
                    ("number", &number.to_string()),
                ],
            ),
        },
        notes: notes(texts, &minted),
        token: minted.session_token,
        session: minted.session_id,
        name: minted.persona.name,
        greeting: minted.greeting,
        limit: minted.max_session_length_seconds,
    })
}

/// Why this persona answers.
fn by(texts: Texts, choice: &Choice, desk: &Desk, minted: &Minted) -> String {
    if choice.is_persona() {
        return texts.say("talk-by-choice");
    }
    let context = minted.context.as_str();
    let held = minted
        .trace
        .rules
        .iter()
        .position(|rule| rule.failed_clause.is_none());
    let Some(at) = held else {
        return texts.with("talk-by-default", "context", context);
    };
    let rule = desk.model.rules.get(at);
    let when = rule.map_or_else(String::new, |rule| words::when(texts, rule));
    let number = at.saturating_add(1).to_string();
    texts.with_all(
        "talk-by-rule",
        &[("number", &number), ("context", context), ("when", &when)],
    )
}

fn notes(texts: Texts, minted: &Minted) -> Vec<String> {
    let note = |name, tools: &[String]| {
        (!tools.is_empty()).then(|| texts.with(name, "tools", tools.join(", ")))
    };
    let notes = [
        note("talk-tools", &minted.tools),
        note("talk-tools-left-out", &minted.left_out_tools),
    ];
    notes.into_iter().flatten().collect()
}

fn refusal(refused: &Refused) -> HttpResponse {
    let status = StatusCode::from_u16(refused.status);
    let mut answer = HttpResponse::build(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    if let Some(wait) = &refused.retry_after {
        answer.insert_header((RETRY_AFTER, wait.as_str()));
    }
    let errors: Vec<_> = refused
        .errors
        .iter()
        .map(|fault| {
            let said = refused.said_of(fault);
            json!({ "at": fault.pointer, "message": said.text, "english": said.is_foreign })
        })
        .collect();
    answer.json(json!({ "refused": refused.words(), "code": refused.code, "errors": errors }))
}
