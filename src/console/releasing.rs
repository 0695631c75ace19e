//! How a version of a document goes out to users.

use serde_json::{Map, Value};

use super::api::{Api, Refused};
use super::parts::{local_moment, moment_of};
use super::visit::{Form, Signed};
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
            from: form
                .filled("from")
                .map(|from| moment_of(from, form.get("zone"))),
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

/// What is wrong with when and for whom, before anything is done.
pub fn judge(signed: &Signed, form: &Form) -> Option<Refused> {
    let texts = signed.texts;
    let from = form.filled("from");
    let is_past = |from| local_moment(from, form.get("zone")).is_none_or(|at| at <= signed.now);
    let from = from
        .filter(|from| is_past(from))
        .map(|_| Refused::faulty(texts, "/from", &texts.say("fault-future")));
    let share = |text: &&str| {
        text.trim()
            .parse()
            .is_ok_and(|share| (1..100).contains(&share))
    };
    let percent = form
        .filled("percent")
        .filter(|text| !share(text))
        .map(|_| Refused::faulty(texts, "/percent", &texts.say("publish-percent-fault")));
    match (from, percent) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
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
