//! A document while somebody writes it in a page: what is shown, and what the form begins with. The same for every kind.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::{Api, Refused};
use super::parts::{At, Listed};
use super::visit::{Form, Signed};

/// A document, as its page shows it.
#[derive(Debug, Clone)]
pub struct Writing {
    pub key: String,
    /// The version that is live.
    pub live: Option<i32>,
    /// The newest version.
    pub latest: Option<i32>,
    /// To how many of a hundred users another version goes out.
    pub rollout: Option<Rollout>,
    pub is_archived: bool,
    /// The draft that is shown. Where there is none, the page shows the newest version; what is live if that was taken back.
    pub draft: Option<Draft>,
    /// Other drafts of the document.
    pub others: Vec<Draft>,
    pub begun: Begun,
    /// The version that is shown, where it is sealed and not live.
    pub waiting: Option<i32>,
    /// What goes live next.
    pub planned: Option<Planned>,
}

/// What a form begins with. The form carries it, so that what others do meanwhile is noticed, and merged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Begun {
    /// The draft's id.
    pub draft: Option<String>,
    /// The draft's state.
    pub etag: String,
    /// The newest version: what a draft builds on.
    pub base: Option<i32>,
    /// What was shown.
    pub content: Map<String, Value>,
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
    #[serde(default)]
    pub contributors: Vec<String>,
    pub updated_at: String,
    pub content: Map<String, Value>,
}

/// A document, as the API tells of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    pub live_version: Option<i32>,
    pub latest_version: Option<i32>,
    pub rollout: Option<Rollout>,
    pub archived_at: Option<String>,
    /// What is live.
    #[serde(default)]
    pub content: Option<Map<String, Value>>,
}

/// A sealed version.
#[derive(Debug, Deserialize)]
pub struct Version {
    pub number: i32,
    pub author: String,
    pub content: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Release {
    version: i32,
    live_from: At,
    way: String,
    cancelled_by: Option<String>,
}

/// A version that goes live by itself.
#[derive(Debug, Clone)]
pub struct Planned {
    pub version: i32,
    pub at: At,
}

impl Draft {
    /// Who opened it.
    pub fn by(&self) -> &str {
        name_of(&self.author)
    }

    /// Who else than somebody wrote in it.
    pub fn others(&self, own: &str) -> String {
        let names = self.contributors.iter().map(|actor| name_of(actor));
        let others: Vec<&str> = names.filter(|name| *name != own).collect();
        if others.is_empty() {
            self.by().to_owned()
        } else {
            others.join(", ")
        }
    }

    /// A form that begins with it.
    pub fn begun(self, etag: String) -> Begun {
        Begun {
            draft: Some(self.id),
            etag,
            base: self.base_version,
            content: self.content,
        }
    }
}

/// The name of somebody, without what kind of somebody it is.
pub fn name_of(actor: &str) -> &str {
    actor.split_once(':').map_or(actor, |(_, name)| name)
}

impl Begun {
    /// What a form that was sent began with.
    pub fn sent(form: &Form) -> Self {
        Self {
            draft: form.filled("draft").map(str::to_owned),
            etag: form.get("etag").to_owned(),
            base: form.get("base").parse().ok(),
            content: serde_json::from_str(form.get("seen")).unwrap_or_default(),
        }
    }

    /// The content, for the form to carry.
    pub fn seen(&self) -> String {
        serde_json::to_string(&self.content).unwrap_or_default()
    }
}

impl Writing {
    /// Reads a document, with the draft that the page's address names, or its newest one.
    pub async fn load(signed: &Signed, kind: &'static str, key: &str) -> Result<Self, Refused> {
        let api = &signed.api;
        let path = address(kind, key);
        let drafts = format!("{path}/drafts");
        let (document, drafts) = futures_util::future::join(
            api.get::<Document>(&path),
            api.get::<Listed<Draft>>(&drafts),
        )
        .await;
        let (document, mut drafts) = (document?, drafts?.items);
        drafts.sort_by(|a, b| b.updated_at.cmp(&a.updated_at));
        let at = match signed.parameter("draft") {
            Some(id) => drafts.iter().position(|draft| draft.id == id),
            None => (!drafts.is_empty()).then_some(0),
        };
        let mut writing = Self {
            key: key.to_owned(),
            live: document.live_version,
            latest: document.latest_version,
            rollout: document.rollout,
            is_archived: document.archived_at.is_some(),
            draft: None,
            begun: Begun {
                base: document.latest_version,
                ..Begun::default()
            },
            waiting: None,
            planned: None,
            others: Vec::new(),
        };
        let releases: Listed<Release> = api.get(&format!("{path}/releases?limit=100")).await?;
        let (ahead, past) = stand(releases.items, signed.now);
        writing.planned = ahead.into_iter().next().map(|next| Planned {
            version: next.version,
            at: next.live_from,
        });
        if let Some(at) = at {
            let path = format!("/v1/admin/drafts/{}", drafts.remove(at).id);
            let draft = api.tagged::<Draft>(&path).await?;
            writing.draft = Some(draft.body.clone());
            writing.begun = draft.body.begun(draft.etag);
        } else {
            writing.waiting = writing.waits(&past);
            writing.begun.content = match writing.waiting {
                Some(number) => version(api, kind, key, number).await?.content,
                None => document.content.unwrap_or_default(),
            };
        }
        writing.others = drafts;
        Ok(writing)
    }

    /// With a form that was sent before, which goes on with what it began with.
    pub fn go_on(&mut self, begun: Begun) {
        if self.begun.draft != begun.draft {
            self.others.extend(self.draft.take());
            let shown = |draft: &Draft| begun.draft.as_ref() == Some(&draft.id);
            self.draft = self.others.extract_if(.., |draft| shown(draft)).next();
        }
        self.waiting = None;
        self.begun = begun;
    }

    /// The newest version if it waits to go live, to all or to the others; not if it was taken back: what somebody writes goes on from
    /// there.
    fn waits(&self, past: &[Release]) -> Option<i32> {
        let latest = self.latest.filter(|_| self.latest != self.live)?;
        let was_live = past.iter().any(|release| release.version == latest);
        (self.goes_out(&latest) || self.live.is_none() || !was_live).then_some(latest)
    }

    /// Whether a share of the users have this version already.
    pub fn goes_out(&self, version: &i32) -> bool {
        self.rollout
            .as_ref()
            .map(|rollout| rollout.version)
            .as_ref()
            == Some(version)
    }

    /// Whether a version was sealed since the draft was begun.
    pub fn is_behind(&self) -> bool {
        self.draft.is_some() && self.begun.base.unwrap_or(0) < self.latest.unwrap_or(0)
    }
}

/// The releases that count: those to come, the next first, and those that took effect.
fn stand(releases: Vec<Release>, now: DateTime<Utc>) -> (Vec<Release>, Vec<Release>) {
    let standing = releases
        .into_iter()
        .filter(|release| release.way != "cancel" && release.cancelled_by.is_none());
    let (mut ahead, past): (Vec<_>, Vec<_>) =
        standing.partition(|release| release.live_from.moment().is_some_and(|at| at > now));
    ahead.sort_by_key(|release| release.live_from.moment());
    (ahead, past)
}

/// A version of a document.
pub async fn version(api: &Api, kind: &str, key: &str, number: i32) -> Result<Version, Refused> {
    api.get(&format!("{}/versions/{number}", address(kind, key)))
        .await
}

/// The address of a document in the API.
pub fn address(kind: &str, key: &str) -> String {
    format!("/v1/admin/documents/{kind}/{}", super::api::encode_key(key))
}

/// The page of a document.
pub fn page_of(kind: &str, key: &str) -> String {
    format!("/console/{kind}s/{}", super::api::encode_key(key))
}
