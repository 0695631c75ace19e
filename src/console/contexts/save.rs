//! Drafts: saving, publishing, discarding, and what to do where somebody else was faster.

use actix_web::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::desk::{Draft, path};
use super::view::Found;
use super::watch::{Validation, found_of};
use crate::console::api::{Api, Refused, encode};
use crate::domain::diff;
use crate::domain::merge::{Choices, Side, Unmerged, merge};

/// Which draft a form is about, and its state.
#[derive(Debug, Clone, Default)]
pub struct At {
    /// Empty where there is no draft yet.
    pub draft: String,
    pub etag: String,
    /// The version that a new draft builds on.
    pub base: Option<i32>,
    /// The content that the form began with.
    pub seen: Map<String, Value>,
}

/// A place that differs.
#[derive(Debug, Clone)]
pub struct Difference {
    pub pointer: String,
    pub before: String,
    pub after: String,
}

/// Somebody else was faster.
#[derive(Debug, Clone)]
pub struct Meanwhile {
    /// What they wrote, beside what the form says.
    pub differences: Vec<Difference>,
    /// Their state of the draft.
    pub etag: String,
    pub theirs: Map<String, Value>,
}

/// A place that a draft and a newer version both changed.
#[derive(Debug, Clone, Deserialize)]
pub struct Conflict {
    pub pointer: String,
    #[serde(default)]
    pub ours: Option<Value>,
    #[serde(default)]
    pub theirs: Option<Value>,
}

impl Conflict {
    pub fn ours(&self) -> String {
        shown(self.ours.as_ref())
    }

    pub fn theirs(&self) -> String {
        shown(self.theirs.as_ref())
    }
}

/// Why a form was not saved.
#[derive(Debug)]
pub enum NotSaved {
    /// The draft is another one by now.
    Meanwhile(Box<Meanwhile>),
    /// The draft is gone.
    Gone,
    Refused(Refused),
}

impl From<Refused> for NotSaved {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// What became of a wish to publish.
#[derive(Debug)]
pub enum Published {
    Live,
    /// The version waits for approvals.
    Waits,
    /// It is saved as a draft, and this was found.
    Found(At, Vec<Found>),
    /// It is saved as a draft, and a version was sealed meanwhile.
    Behind(At),
    /// It is saved, and the API says why it can't be published.
    Refused(At, Refused),
    /// It is sealed, and the API says why it can't be released.
    Sealed(Refused),
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => serde_json::to_string_pretty(value).unwrap_or_default(),
    }
}

/// What differs between two contents.
pub fn differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Difference> {
    let changes = diff::diff(before, after).unwrap_or_default();
    let changes = changes.into_iter().map(|change| Difference {
        pointer: change.pointer,
        before: shown(change.before.as_ref()),
        after: shown(change.after.as_ref()),
    });
    changes.collect()
}

/// Saves a content: in its draft, or in a new one.
pub async fn save(
    api: &Api,
    key: &str,
    at: &At,
    content: &Map<String, Value>,
) -> Result<At, NotSaved> {
    let saved = if at.draft.is_empty() {
        let mut body = json!({ "content": content });
        if let (Some(base), Some(body)) = (at.base, body.as_object_mut()) {
            body.insert("from".to_owned(), json!(base));
        }
        let address = format!("{}/drafts", path(key));
        api.call(Method::POST, &address)
            .body(&body)
            .tagged::<Draft>()
            .await?
    } else {
        let address = format!("/v1/admin/drafts/{}", encode(&at.draft));
        let body = json!({ "content": content });
        match api
            .call(Method::PUT, &address)
            .seen(&at.etag)
            .body(&body)
            .tagged::<Draft>()
            .await
        {
            Ok(saved) => saved,
            Err(refused) if refused.status == StatusCode::PRECONDITION_FAILED => {
                let theirs = api.tagged::<Draft>(&address).await?;
                return Err(NotSaved::Meanwhile(Box::new(Meanwhile {
                    differences: differences(content, &theirs.body.content),
                    etag: theirs.etag,
                    theirs: theirs.body.content,
                })));
            }
            Err(refused) if refused.status == StatusCode::NOT_FOUND => return Err(NotSaved::Gone),
            Err(refused) => return Err(refused.into()),
        }
    };
    Ok(At {
        draft: saved.body.id,
        etag: saved.etag,
        base: saved.body.base_version,
        seen: saved.body.content,
    })
}

/// Seals a saved draft and releases it, unless something is found that prevents it.
pub async fn publish(
    api: &Api,
    key: &str,
    at: At,
    latest: Option<i32>,
    message: &str,
) -> Result<Published, Refused> {
    if at.base != latest {
        return Ok(Published::Behind(at));
    }
    let draft = format!("/v1/admin/drafts/{}", encode(&at.draft));
    let validation: Validation = api
        .call(Method::POST, &format!("{draft}:validate"))
        .json()
        .await?;
    if !validation.ok {
        return Ok(Published::Found(at, validation.found()));
    }
    let seal = format!("{draft}:seal");
    let sealed = api
        .call(Method::POST, &seal)
        .seen(&at.etag)
        .body(&json!({ "message": message }));
    let sealed: Value = match sealed.json().await {
        Ok(sealed) => sealed,
        Err(refused) if refused.code == "document_invalid" => {
            let found = found_of(&refused);
            return Ok(Published::Found(at, found));
        }
        Err(refused) if refused.is_signed_out() => return Err(refused),
        Err(refused) => return Ok(Published::Refused(at, refused)),
    };
    let version = sealed.get("number").cloned().unwrap_or_default();
    match release(api, key, &version, message).await {
        Ok(()) => Ok(Published::Live),
        Err(refused) if refused.code == "approval_missing" => Ok(Published::Waits),
        Err(refused) => Ok(Published::Sealed(refused)),
    }
}

/// Makes a sealed version live.
pub async fn release(api: &Api, key: &str, version: &Value, note: &str) -> Result<(), Refused> {
    let body = json!({ "version": version, "note": note });
    let address = format!("{}/releases", path(key));
    let _released: Value = api.post(&address, &body).await?;
    Ok(())
}

/// Throws a draft away.
pub async fn discard(api: &Api, at: &At) -> Result<(), Refused> {
    let address = format!("/v1/admin/drafts/{}", encode(&at.draft));
    let gone = api
        .call(Method::DELETE, &address)
        .seen(&at.etag)
        .told()
        .await;
    match gone {
        Err(refused) if refused.status != StatusCode::NOT_FOUND => Err(refused),
        _ => Ok(()),
    }
}

/// Merges the newest version into a saved draft. Where both changed the same place, `keep` says whose value stays; the places without an answer
/// are given back.
pub async fn rebase(
    api: &Api,
    at: &At,
    keep: &[(String, String)],
) -> Result<Vec<Conflict>, Refused> {
    let address = format!("/v1/admin/drafts/{}:rebase", encode(&at.draft));
    let keep: Map<String, Value> = keep
        .iter()
        .map(|(pointer, side)| (pointer.clone(), json!(side)))
        .collect();
    let merged = api
        .call(Method::POST, &address)
        .seen(&at.etag)
        .body(&json!({ "keep": keep }));
    match merged.json::<Value>().await {
        Ok(_draft) => Ok(Vec::new()),
        Err(refused) if refused.code == "merge_conflict" => {
            let conflicts = refused
                .conflicts
                .iter()
                .filter_map(|one| serde_json::from_value(one.clone()).ok());
            Ok(conflicts.collect())
        }
        Err(refused) => Err(refused),
    }
}

/// Both changes of what the form began with. Where both changed the same, the form's stays; those places are given back.
pub fn merged(
    seen: &Map<String, Value>,
    theirs: &Map<String, Value>,
    ours: &Map<String, Value>,
) -> (Map<String, Value>, Vec<String>) {
    match merge(seen, theirs, ours, &Choices::new()) {
        Ok(merged) => (merged, Vec::new()),
        Err(Unmerged::Conflicts(conflicts)) => {
            let places: Vec<String> = conflicts
                .into_iter()
                .map(|conflict| conflict.pointer)
                .collect();
            let choices = places
                .iter()
                .map(|place| (place.clone(), Side::Ours))
                .collect();
            let merged =
                merge(seen, theirs, ours, &choices).unwrap_or_else(|_unmerged| ours.clone());
            (merged, places)
        }
        Err(Unmerged::NoConflictAt(_)) => (ours.clone(), Vec::new()),
    }
}
