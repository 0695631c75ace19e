//! How a version of a document goes out to users.

use serde_json::{Map, Value};

use super::api::{Api, Refused};
use super::visit::Form;
use super::writing::address;

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
    /// As a form says it.
    pub fn sent(form: &Form) -> Self {
        Self {
            note: form.get("note").to_owned(),
            percent: form.filled("percent").and_then(|text| text.parse().ok()),
            from: form.filled("from").map(|from| format!("{from}:00Z")),
        }
    }

    /// What the release came to, as a notice.
    pub fn said(&self) -> &'static str {
        match (&self.from, self.percent) {
            (Some(_), _) => "scheduled",
            (None, Some(_)) => "rolled-out",
            (None, None) => "published",
        }
    }
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
