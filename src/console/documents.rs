//! Lists of personas and of snippets, and how a new one begins.

use actix_web::http::Method;
use askama::Template;
use serde_json::{Map, Value, json};

use super::api::Refused;
use super::choices::{DocumentLine, documents};
use super::frame::{Frame, page_with};
use super::parts::Faults;
use super::visit::{Answer, Form, Signed, see};

#[derive(Debug, Template)]
#[template(path = "documents.html")]
struct DocumentsPage {
    frame: Frame,
    kind: &'static str,
    documents: Vec<DocumentLine>,
    archived: Vec<DocumentLine>,
    /// What somebody typed for a new one.
    key: String,
    name: String,
    faults: Faults,
}

/// The personas.
pub async fn personas(signed: Signed) -> Answer {
    render(&signed, "persona", ("", ""), None).await
}

/// The snippets.
pub async fn snippets(signed: Signed) -> Answer {
    render(&signed, "snippet", ("", ""), None).await
}

/// Begins a persona.
pub async fn new_persona(signed: Signed, sent: Form) -> Answer {
    let content = json!({
        "name": sent.get("name"),
        "systemPrompt": signed.texts.say("new-prompt"),
    });
    begin(&signed, "persona", &sent, content).await
}

/// Begins a snippet.
pub async fn new_snippet(signed: Signed, sent: Form) -> Answer {
    begin(
        &signed,
        "snippet",
        &sent,
        json!({ "text": signed.texts.say("new-snippet-text") }),
    )
    .await
}

async fn begin(signed: &Signed, kind: &'static str, sent: &Form, content: Value) -> Answer {
    let key = sent.get("key").trim();
    let new = json!({ "kind": kind, "key": key, "content": content });
    match signed.api.post::<Value>("/v1/admin/documents", &new).await {
        Ok(_draft) => Ok(see(&format!("/console/{kind}s/{key}"))),
        Err(refused) => render(signed, kind, (key, sent.get("name")), Some(refused)).await,
    }
}

/// Archives a document or brings it back.
pub async fn keep(signed: &Signed, kind: &'static str, sent: &Form) -> Answer {
    let key = sent.get("key");
    let verb = if sent.get("do") == "restore" {
        "restore"
    } else {
        "archive"
    };
    let path = format!("{}:{verb}", super::writing::address(kind, key));
    let nothing = Value::Object(Map::new());
    let call = signed.api.call(Method::POST, &path).body(&nothing);
    match call.answered().await {
        Ok(_done) => Ok(see(&format!("/console/{kind}s?said={verb}d"))),
        Err(refused) => render(signed, kind, ("", ""), Some(refused)).await,
    }
}

/// Archives a persona, or brings it back.
pub async fn keep_persona(signed: Signed, sent: Form) -> Answer {
    keep(&signed, "persona", &sent).await
}

/// Archives a snippet, or brings it back.
pub async fn keep_snippet(signed: Signed, sent: Form) -> Answer {
    keep(&signed, "snippet", &sent).await
}

async fn render(
    signed: &Signed,
    kind: &'static str,
    (key, name): (&str, &str),
    refused: Option<Refused>,
) -> Answer {
    let all = documents(&signed.api).await?.into_iter();
    let (archived, documents) = all
        .filter(|one| one.kind == kind)
        .partition(|one| one.archived_at.is_some());
    let shown = DocumentsPage {
        frame: Frame::new(signed, signed.texts.say(&format!("{kind}s"))),
        kind,
        documents,
        archived,
        key: key.to_owned(),
        name: name.to_owned(),
        faults: refused.map(Faults::from).unwrap_or_default(),
    };
    Ok(page_with(shown.faults.status(), &shown))
}

impl DocumentsPage {
    fn is_persona(&self) -> bool {
        self.kind == "persona"
    }

    /// The text for where there are none.
    fn none(&self) -> &'static str {
        if self.is_persona() {
            "no-personas"
        } else {
            "no-snippets"
        }
    }
}
