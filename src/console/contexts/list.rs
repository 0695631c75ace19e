//! All contexts, and a new one.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use askama::Template;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::KIND;
use crate::console::api::{Refused, encode};
use crate::console::choices::keys;
use crate::console::frame::{Frame, page_with};
use crate::console::parts::Listed;
use crate::console::visit::{Answer, Form, Signed, see};
use crate::console::writing::address;

/// Contexts of a page.
const AT_ONCE: usize = 25;

/// A context, as the API tells of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    key: String,
    live_version: Option<i32>,
    drafts: i64,
    #[serde(default)]
    content: Option<Map<String, Value>>,
}

/// A line of the list.
#[derive(Debug)]
struct Line {
    document: Document,
    description: String,
    rules: usize,
    personas: Vec<String>,
}

#[derive(Debug, Template)]
#[template(path = "contexts/list.html")]
struct ListPage {
    frame: Frame,
    lines: Vec<Line>,
    /// The cursor of the next page.
    next: Option<String>,
    personas: Vec<String>,
    new: New,
}

/// What was typed for a new context, and what is wrong with it.
#[derive(Debug, Default)]
struct New {
    key: String,
    description: String,
    persona: String,
    key_fault: Option<String>,
    fault: Option<String>,
}

impl Line {
    fn of(document: Document) -> Self {
        let content = document.content.as_ref();
        let member = |name: &str| content.and_then(|content| content.get(name));
        let rules = member("rules")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut personas: Vec<String> = Vec::new();
        let targets = rules
            .iter()
            .filter_map(|rule| rule.get("then"))
            .chain(member("default"));
        for target in targets {
            let arms = target
                .get("split")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let keys = arms
                .chain([target])
                .filter_map(|one| one.get("persona").unwrap_or(one).as_str());
            for key in keys {
                if !personas.iter().any(|known| known == key) {
                    personas.push(key.to_owned());
                }
            }
        }
        Self {
            description: member("description")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            rules: rules.len(),
            personas,
            document,
        }
    }
}

/// The list.
pub async fn show(signed: Signed) -> Answer {
    rendered(&signed, New::default(), StatusCode::OK).await
}

async fn rendered(signed: &Signed, new: New, status: StatusCode) -> Answer {
    let cursor = signed
        .parameter("cursor")
        .map(|cursor| format!("&cursor={}", encode(&cursor)))
        .unwrap_or_default();
    let listed = format!("/v1/admin/documents?kind=context&limit={AT_ONCE}{cursor}");
    let listed: Listed<Document> = signed.api.get(&listed).await?;
    let personas = keys(&signed.api, "persona").await?;
    let mut lines = Vec::new();
    for some in listed.items.chunks(8) {
        // The list does not tell what a context says.
        let whole = some.iter().map(async |document| {
            let whole: Result<Document, Refused> =
                signed.api.get(&address(KIND, &document.key)).await;
            Line::of(whole.unwrap_or_else(|_gone| document.clone()))
        });
        lines.extend(join_all(whole).await);
    }
    let template = ListPage {
        frame: Frame::new(signed, signed.texts.say("contexts")),
        lines,
        next: listed.next,
        personas,
        new,
    };
    Ok(page_with(status, &template))
}

/// Creates one, as a draft.
pub async fn create(signed: Signed, form: Form) -> Result<HttpResponse, Refused> {
    let mut new = New {
        key: form.get("key").trim().to_owned(),
        description: form.get("description").trim().to_owned(),
        persona: form.get("persona").to_owned(),
        ..New::default()
    };
    let mut content = json!({ "description": new.description });
    if let (Some(content), false) = (content.as_object_mut(), new.persona.is_empty()) {
        content.insert("default".to_owned(), json!(new.persona));
    }
    let body = json!({ "kind": "context", "key": new.key, "content": content });
    let refused = match signed.api.post::<Value>("/v1/admin/documents", &body).await {
        Ok(_draft) => {
            return Ok(see(&format!(
                "/console/contexts/{}?said=context-created",
                encode(&new.key)
            )));
        }
        Err(refused) if refused.is_signed_out() => return Err(refused),
        Err(refused) => refused,
    };
    let of_key = refused.errors.iter().find(|fault| fault.pointer == "/key");
    match of_key {
        Some(_) => new.key_fault = Some(signed.texts.say("cx-key-form")),
        None if refused.code == "already_exists" => {
            new.key_fault = Some(signed.texts.say("cx-key-taken"));
        }
        None => new.fault = Some(refused.words()),
    }
    rendered(&signed, new, refused.status_code()).await
}
