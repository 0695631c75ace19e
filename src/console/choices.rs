//! What documents can name: entries of the catalogue, other documents, sample users.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::api::{Api, Refused, encode};
use super::parts::{At, Listed};

/// An entry of the catalogue to choose.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Anam no longer lists it.
    #[serde(default, rename = "retiredAt")]
    pub retired_at: Option<String>,
}

impl Entry {
    /// A few words that tell it from others of the name.
    pub fn about(&self) -> String {
        let words = ["variantName", "provider", "gender", "country"].iter();
        let words = words.filter_map(|name| self.attributes.get(*name)?.as_str());
        words.collect::<Vec<_>>().join(", ")
    }

    /// A picture of it.
    pub fn picture(&self) -> Option<&str> {
        super::media::picture(&self.attributes)
    }

    /// A sample of how it sounds.
    pub fn sound(&self) -> Option<&str> {
        super::media::sound(&self.attributes)
    }

    /// What stands for a picture.
    pub fn initials(&self) -> String {
        let words = self.name.split_whitespace().take(2);
        words.filter_map(|word| word.chars().next()).collect()
    }
}

/// The entries of a kind, retired ones last.
pub async fn entries(api: &Api, kind: &str) -> Result<Vec<Entry>, Refused> {
    let path = format!("/v1/admin/catalogue/{kind}?limit=100");
    let mut entries: Listed<Entry> = api.get(&path).await?;
    entries
        .items
        .sort_by_key(|entry| entry.retired_at.is_some());
    Ok(entries.items)
}

/// A document in a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentLine {
    pub kind: String,
    pub key: String,
    /// Of a persona: what it is called.
    #[serde(default)]
    pub name: Option<String>,
    pub live_version: Option<i32>,
    pub latest_version: Option<i32>,
    #[serde(default)]
    pub drafts: u32,
    #[serde(default)]
    pub archived_at: Option<String>,
    #[serde(default)]
    pub not_served: Option<String>,
}

/// All documents.
pub async fn documents(api: &Api) -> Result<Vec<DocumentLine>, Refused> {
    all(api, "/v1/admin/documents?limit=100").await
}

/// The keys of all documents of a kind.
pub async fn keys(api: &Api, kind: &str) -> Result<Vec<String>, Refused> {
    #[derive(Deserialize)]
    struct Named {
        key: String,
    }
    let path = format!("/v1/admin/documents?kind={kind}&limit=100");
    let named = all::<Named>(api, &path).await?;
    Ok(named.into_iter().map(|named| named.key).collect())
}

/// All pages of a list.
async fn all<T: DeserializeOwned>(api: &Api, path: &str) -> Result<Vec<T>, Refused> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    // Lists of people are shorter; what a program made of thousands is looked for, not leafed through.
    for _ in 0..20 {
        let page: Listed<T> = api.get(&format!("{path}{cursor}")).await?;
        all.extend(page.items);
        match page.next {
            Some(next) => cursor = format!("&cursor={}", encode(&next)),
            None => break,
        }
    }
    Ok(all)
}

/// A made-up user.
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

/// The users whom the tenant's admins made up.
pub async fn samples(api: &Api) -> Result<Vec<Sample>, Refused> {
    let samples: Listed<Sample> = api.get("/v1/admin/sample-users?limit=100").await?;
    Ok(samples.items)
}

/// A user who came lately, by their newest session.
#[derive(Debug, Clone)]
pub struct RecentUser {
    /// The session.
    pub session: String,
    pub at: At,
    pub subject: String,
    /// What they are called, where that is known.
    pub name: Option<String>,
    /// The key of the persona that they got.
    pub persona: String,
}

impl RecentUser {
    /// What tells them from others: the name with the id, or the id alone.
    pub fn called(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.subject),
            None => self.subject.clone(),
        }
    }

    /// Whether their id or name has this text in it, in whichever case.
    pub fn fits(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let has = |own: &str| own.to_lowercase().contains(&text);
        has(&self.subject) || self.name.as_deref().is_some_and(has)
    }
}

/// The users of the newest sessions of a search, each once.
pub async fn recent_users(api: &Api, search: &str) -> Result<Vec<RecentUser>, Refused> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Session {
        id: String,
        at: At,
        subject: Option<String>,
        #[serde(default)]
        user_name: Option<String>,
        persona: Persona,
    }
    #[derive(Deserialize)]
    struct Persona {
        key: String,
    }
    let path = format!("/v1/admin/sessions?test=false&{search}");
    let newest: Listed<Session> = api.get(&path).await?;
    let mut users: Vec<RecentUser> = Vec::new();
    for session in newest.items {
        let Some(subject) = session.subject else {
            continue;
        };
        if users.iter().all(|known| known.subject != subject) {
            users.push(RecentUser {
                session: session.id,
                at: session.at,
                subject,
                name: session.user_name,
                persona: session.persona.key,
            });
        }
    }
    Ok(users)
}
