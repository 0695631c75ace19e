//! A document while somebody writes it in a page: what is shown, and how it is saved, merged and published. The same for every kind.

use actix_web::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{Api, Fault, Refused};
use crate::domain::merge::{Choices, Conflict, Side, Unmerged, merge};

/// A document, as its page shows it.
#[derive(Debug, Clone)]
pub struct Writing {
    pub kind: &'static str,
    pub key: String,
    /// The version that is live.
    pub live: Option<i32>,
    /// The newest version.
    pub latest: Option<i32>,
    /// To how many of a hundred users another version goes out.
    pub rollout: Option<Rollout>,
    /// The draft that is shown; where there is none, the page shows what is live.
    pub draft: Option<Draft>,
    /// The state of the draft, for the change that follows.
    pub etag: String,
    pub content: Map<String, Value>,
    /// Other drafts of the document.
    pub others: Vec<Draft>,
}

/// A version that goes out to a share of the users.
#[derive(Debug, Clone, Deserialize)]
pub struct Rollout {
    pub version: i32,
    pub percent: u8,
}

/// What somebody is writing.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    pub id: String,
    pub base_version: Option<i32>,
    pub author: String,
    pub updated_at: String,
    pub content: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    live_version: Option<i32>,
    latest_version: Option<i32>,
    rollout: Option<Rollout>,
    #[serde(default)]
    content: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct Drafts {
    items: Vec<Draft>,
}

#[derive(Debug, Deserialize)]
struct Version {
    number: i32,
    content: Map<String, Value>,
}

/// What a page sends of a document: what it was loaded with, and what it says now.
#[derive(Debug)]
pub struct Edit {
    /// The draft that was shown.
    pub draft: Option<String>,
    /// Its state then.
    pub etag: String,
    /// What was shown.
    pub seen: Map<String, Value>,
    /// What somebody made of it.
    pub content: Map<String, Value>,
    /// Whose value stays, where two changed the same.
    pub choices: Choices,
}

/// What saving came to.
#[derive(Debug)]
pub enum Saved {
    /// It is saved; true where somebody else's change is in it too.
    Done {
        draft: Draft,
        etag: String,
        merged: bool,
    },
    /// Somebody else changed the same places meanwhile: nothing is saved.
    Conflicts {
        conflicts: Vec<Conflict>,
        by: String,
    },
}

impl Writing {
    /// Reads a document, with the draft of that id, or its newest one.
    pub async fn load(
        api: &Api,
        kind: &'static str,
        key: &str,
        draft: Option<&str>,
    ) -> Result<Self, Refused> {
        let path = address(kind, key);
        let document: Document = api.get(&path).await?;
        let mut drafts: Drafts = api.get(&format!("{path}/drafts")).await?;
        drafts.items.sort_by(|a, b| b.updated_at.cmp(&a.updated_at));
        let at = match draft {
            Some(id) => drafts.items.iter().position(|draft| draft.id == id),
            None => (!drafts.items.is_empty()).then_some(0),
        };
        let shown = at.map(|at| drafts.items.remove(at));
        let mut writing = Self {
            kind,
            key: key.to_owned(),
            live: document.live_version,
            latest: document.latest_version,
            rollout: document.rollout,
            draft: None,
            etag: String::new(),
            content: document.content.unwrap_or_default(),
            others: drafts.items,
        };
        if let Some(shown) = shown {
            let tagged = api
                .tagged::<Draft>(&format!("/v1/admin/drafts/{}", shown.id))
                .await?;
            writing.etag = tagged.etag;
            writing.content.clone_from(&tagged.body.content);
            writing.draft = Some(tagged.body);
        } else if let (None, Some(latest)) = (writing.live, writing.latest) {
            let version: Version = api.get(&format!("{path}/versions/{latest}")).await?;
            writing.content = version.content;
        }
        Ok(writing)
    }

    /// Whether a version was sealed since the draft was begun.
    pub fn is_behind(&self) -> bool {
        self.draft
            .as_ref()
            .is_some_and(|draft| draft.base_version.unwrap_or(0) < self.latest.unwrap_or(0))
    }
}

/// Saves what somebody wrote, together with what others wrote meanwhile.
pub async fn save(api: &Api, kind: &'static str, key: &str, edit: &Edit) -> Result<Saved, Refused> {
    let Some(id) = &edit.draft else {
        return begin(api, kind, key, edit).await;
    };
    let written = put(api, id, &edit.etag, &edit.content).await;
    match written {
        Err(refused) if refused.status == StatusCode::PRECONDITION_FAILED.as_u16() => {
            join(api, id, edit).await
        }
        Err(refused) => Err(refused),
        Ok((draft, etag)) => Ok(Saved::Done {
            draft,
            etag,
            merged: false,
        }),
    }
}

/// Opens a draft; if somebody else did meanwhile, theirs is the one to write in.
async fn begin(api: &Api, kind: &'static str, key: &str, edit: &Edit) -> Result<Saved, Refused> {
    let path = format!("{}/drafts", address(kind, key));
    let there: Drafts = api.get(&path).await?;
    if let Some(draft) = there.items.last() {
        return join(api, &draft.id, edit).await;
    }
    let opened = api
        .call(Method::POST, &path)
        .body(&json!({ "content": edit.content }))
        .tagged::<Draft>()
        .await?;
    Ok(Saved::Done {
        draft: opened.body,
        etag: opened.etag,
        merged: false,
    })
}

async fn join(api: &Api, id: &str, edit: &Edit) -> Result<Saved, Refused> {
    let theirs = api
        .tagged::<Draft>(&format!("/v1/admin/drafts/{id}"))
        .await?;
    match merge(
        &edit.seen,
        &theirs.body.content,
        &edit.content,
        &edit.choices,
    ) {
        Ok(content) => {
            let (draft, etag) = put(api, id, &theirs.etag, &content).await?;
            Ok(Saved::Done {
                draft,
                etag,
                merged: true,
            })
        }
        Err(Unmerged::Conflicts(conflicts)) => Ok(Saved::Conflicts {
            conflicts,
            by: theirs.body.author,
        }),
        // A choice is of a conflict that is none any more: what somebody chose is what they have.
        Err(Unmerged::NoConflictAt(_)) => {
            let (draft, etag) = put(api, id, &theirs.etag, &edit.content).await?;
            Ok(Saved::Done {
                draft,
                etag,
                merged: true,
            })
        }
    }
}

async fn put(
    api: &Api,
    id: &str,
    etag: &str,
    content: &Map<String, Value>,
) -> Result<(Draft, String), Refused> {
    let path = format!("/v1/admin/drafts/{id}");
    let body = json!({ "content": content });
    let call = api.call(Method::PUT, &path).seen(etag).body(&body);
    let tagged = call.tagged::<Draft>().await?;
    Ok((tagged.body, tagged.etag))
}

/// When, and for whom, a version goes out.
#[derive(Debug, Default)]
pub struct Going {
    /// What changed and why.
    pub note: String,
    /// For how many of a hundred users.
    pub percent: Option<u8>,
    /// From when (RFC 3339).
    pub from: Option<String>,
}

impl Going {
    /// What the release came to, as a notice.
    pub fn said(&self) -> &'static str {
        match (&self.from, self.percent) {
            (Some(_), _) => "scheduled",
            (None, Some(_)) => "rolled-out",
            (None, None) => "published",
        }
    }
}

/// Seals a draft: its version's number.
pub async fn seal(api: &Api, draft: &Draft, etag: &str, note: &str) -> Result<i32, Refused> {
    let path = format!("/v1/admin/drafts/{}:seal", draft.id);
    let body = json!({ "message": note });
    let call = api.call(Method::POST, &path).seen(etag).body(&body);
    Ok(call.json::<Version>().await?.number)
}

/// Releases a version.
pub async fn release(
    api: &Api,
    kind: &'static str,
    key: &str,
    version: i32,
    going: &Going,
) -> Result<(), Refused> {
    let mut body = Map::new();
    body.insert("version".to_owned(), version.into());
    body.insert("note".to_owned(), going.note.clone().into());
    if let Some(percent) = going.percent {
        body.insert("percent".to_owned(), percent.into());
    }
    if let Some(from) = &going.from {
        body.insert("liveFrom".to_owned(), from.clone().into());
    }
    let path = format!("{}/releases", address(kind, key));
    let _: Value = api.post(&path, &body.into()).await?;
    Ok(())
}

/// Merges the newest version into a draft.
pub async fn rebase(api: &Api, id: &str, choices: &Choices) -> Result<(), Refused> {
    let keep: Map<String, Value> = choices
        .iter()
        .map(|(at, side)| (at.clone(), word(*side).into()))
        .collect();
    let path = format!("/v1/admin/drafts/{id}:rebase");
    let body = json!({ "keep": keep });
    let call = api.call(Method::POST, &path).seen("*").body(&body);
    let _: Value = call.json().await?;
    Ok(())
}

/// Deletes a draft.
pub async fn discard(api: &Api, id: &str) -> Result<(), Refused> {
    let path = format!("/v1/admin/drafts/{id}");
    api.call(Method::DELETE, &path).seen("*").told().await?;
    Ok(())
}

/// `ours` or `theirs`.
pub fn word(side: Side) -> &'static str {
    match side {
        Side::Ours => "ours",
        Side::Theirs => "theirs",
    }
}

/// The address of a document in the API.
pub fn address(kind: &str, key: &str) -> String {
    format!("/v1/admin/documents/{kind}/{}", super::api::encode_key(key))
}

/// Where a fault is in a document, whether the API named the place in the document, or in a request that holds it.
pub fn in_document(fault: &Fault) -> &str {
    let pointer = fault.pointer.as_str();
    ["/content", "/use/0"]
        .iter()
        .find_map(|start| {
            let rest = pointer.strip_prefix(start)?;
            (rest.is_empty() || rest.starts_with('/')).then_some(rest)
        })
        .unwrap_or(pointer)
}
