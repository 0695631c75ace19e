//! What an editor needs of the API: the context and its drafts, and what the form offers.

use futures_util::future::join;
use futures_util::join;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::known::Sources;
use crate::console::api::{Api, Refused, encode};
use crate::console::frame::Frame;

/// A page of a list of the API.
#[derive(Debug, Deserialize)]
pub struct Items<T> {
    pub items: Vec<T>,
    #[serde(default)]
    pub next: Option<String>,
}

/// A document, as the API shows it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Document {
    pub key: String,
    pub live_version: Option<i32>,
    pub latest_version: Option<i32>,
    pub rollout: Option<Rollout>,
    pub drafts: i64,
    pub content: Option<Map<String, Value>>,
    pub archived_at: Option<String>,
}

/// A version that a share of the users gets.
#[derive(Debug, Clone, Deserialize)]
pub struct Rollout {
    pub version: i32,
    pub percent: u8,
}

/// A draft, as the API shows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    pub id: String,
    pub base_version: Option<i32>,
    #[serde(default)]
    pub title: String,
    pub content: Map<String, Value>,
    pub author: String,
    #[serde(default)]
    pub contributors: Vec<String>,
    pub updated_at: String,
}

impl Draft {
    /// The newest of some.
    pub fn newest(drafts: &[Self]) -> Option<&Self> {
        drafts
            .iter()
            .max_by(|one, other| one.updated_at.cmp(&other.updated_at))
    }
}

/// A sample user.
#[derive(Debug, Clone, Deserialize)]
pub struct Sample {
    pub key: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub subject: Option<Value>,
    #[serde(default)]
    pub facts: Map<String, Value>,
    #[serde(default)]
    pub preferences: Map<String, Value>,
}

/// A session that was just there.
#[derive(Debug, Clone, Deserialize)]
pub struct Recent {
    pub id: String,
    pub at: String,
    pub subject: Option<String>,
    pub persona: Given,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Given {
    pub key: String,
}

#[derive(Debug, Deserialize)]
struct Named {
    key: String,
}

#[derive(Debug, Deserialize)]
struct Issuer {
    config: Value,
}

/// Everything beside the form.
#[derive(Debug, Default)]
pub struct Desk {
    pub document: Document,
    pub drafts: Vec<Draft>,
    pub personas: Vec<String>,
    pub samples: Vec<Sample>,
    pub recent: Vec<Recent>,
    pub policy: Value,
    issuers: Vec<Value>,
    sample_facts: Vec<Value>,
    sample_preferences: Vec<Value>,
}

/// The path of a context in the API.
pub fn path(key: &str) -> String {
    format!("/v1/admin/documents/context/{}", encode(key))
}

/// All keys of the documents of a kind.
pub async fn keys(api: &Api, kind: &str) -> Result<Vec<String>, Refused> {
    let mut keys = Vec::new();
    let mut cursor = String::new();
    for _ in 0..20 {
        let path = format!("/v1/admin/documents?kind={kind}&limit=100{cursor}");
        let page: Items<Named> = api.get(&path).await?;
        keys.extend(page.items.into_iter().map(|item| item.key));
        match page.next {
            Some(next) => cursor = format!("&cursor={}", encode(&next)),
            None => break,
        }
    }
    Ok(keys)
}

impl Desk {
    /// Asks for everything. What is only offered is left out where it can't be had.
    pub async fn open(api: &Api, key: &str) -> Result<Self, Refused> {
        let (document_path, drafts_path) = (path(key), format!("{}/drafts", path(key)));
        let sessions_path = format!("/v1/admin/sessions?context={}&limit=30", encode(key));
        let documents = join(
            api.get(&document_path),
            api.get::<Items<Draft>>(&drafts_path),
        );
        let (documents, personas, samples, recent, policy, issuers) = join!(
            documents,
            keys(api, "persona"),
            api.get::<Items<Sample>>("/v1/admin/sample-users?limit=100"),
            api.get::<Items<Recent>>(&sessions_path),
            api.get::<Value>("/v1/admin/policy"),
            api.get::<Items<Issuer>>("/v1/admin/issuers"),
        );
        let (document, drafts) = documents;
        let samples = samples.map(|page| page.items).unwrap_or_default();
        let issuers = issuers.map(|page| page.items).unwrap_or_default();
        let mut recent = recent.map(|page| page.items).unwrap_or_default();
        recent.retain(|session| session.subject.is_some());
        let mut subjects = Vec::new();
        recent.retain(|session| {
            let is_new = !subjects.contains(&session.subject);
            subjects.push(session.subject.clone());
            is_new
        });
        Ok(Self {
            document: document?,
            drafts: drafts?.items,
            personas: personas?,
            sample_facts: samples
                .iter()
                .map(|sample| Value::Object(sample.facts.clone()))
                .collect(),
            sample_preferences: samples
                .iter()
                .map(|sample| Value::Object(sample.preferences.clone()))
                .collect(),
            samples,
            recent,
            policy: policy.unwrap_or_default(),
            issuers: issuers
                .into_iter()
                .map(|issuer| issuer.config.get("claims").cloned().unwrap_or_default())
                .collect(),
        })
    }

    /// What attributes are known from.
    pub fn sources(&self) -> Sources<'_> {
        Sources {
            claims: self.issuers.iter().collect(),
            policy: Some(&self.policy),
            facts: self.sample_facts.iter().collect(),
            preferences: self.sample_preferences.iter().collect(),
        }
    }

    /// The zone in which rules read the time.
    pub fn zone(&self) -> &str {
        self.policy
            .get("timeZone")
            .and_then(Value::as_str)
            .unwrap_or("UTC")
    }

    /// How many people must approve a version.
    pub fn approvals(&self) -> u64 {
        self.policy
            .get("requiredApprovals")
            .and_then(Value::as_u64)
            .unwrap_or_default()
    }

    pub fn draft(&self, id: &str) -> Option<&Draft> {
        self.drafts.iter().find(|draft| draft.id == id)
    }

    /// Who wrote a draft last, as the page says it.
    pub fn wrote(&self, frame: &Frame, draft: &Draft) -> String {
        let who = draft.contributors.last().unwrap_or(&draft.author);
        let name = who.split_once(':').map_or(who.as_str(), |(_, name)| name);
        frame.t1("cx-draft-by", "who", name)
    }
}
