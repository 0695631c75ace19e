//! One user, across everything that a tenant keeps: all of it to show, or all of it to forget.
//!
//! `docs/decisions/0010-erasing-a-subject.md` says how forgetting goes together with a ledger that only grows.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::change::Change;
use super::refusal::Refusal;
use crate::crypto::digest::SubjectDigest;
use crate::crypto::seal::KeyRing;
use crate::domain::caller::Subject;
use crate::domain::ids::{SessionId, TenantId};
use crate::store::subjects::{Erased, SubjectSession};
use crate::store::{Database, StoreError};

/// Sessions read, or forgotten, by one statement.
const PAGE: i64 = 500;

/// Deletes a user's preferences and the inputs of their sessions, and takes their name off the sessions, which stay. A second
/// call finds nothing left; what the user does afterwards is new.
pub async fn erase(change: &mut Change, subject: &Subject) -> Result<Erased, Refusal> {
    let target = target(change, subject)?;
    let stored = change.tx.lock_preferences(subject).await?;
    change.tx.delete_preferences(subject).await?;
    let mut erased = Erased {
        preferences: stored.version > 0,
        ..Erased::default()
    };
    loop {
        let (sessions, inputs) = change.tx.unlink_sessions(subject, PAGE).await?;
        if sessions == 0 {
            break;
        }
        erased.sessions += sessions;
        erased.inputs += inputs;
    }
    let user = SubjectDigest::of(subject);
    change.tx.forget_places(user).await?;
    // Last: mints of this user wait for it.
    change.tx.forget_quota_use(subject).await?;
    let details = json!({
        "preferences": erased.preferences,
        "sessions": erased.sessions,
        "inputs": erased.inputs,
    });
    change.note("user.erase", &target, details);
    Ok(erased)
}

/// What the audit trail calls a user, which it must not name: it can't forget.
pub fn target(change: &Change, subject: &Subject) -> Result<String, Refusal> {
    let name = change.keys.pseudonym(change.tx.tenant(), subject)?;
    Ok(format!("user/{name}"))
}

/// All that the audit trail may have called a user, since master keys come and go.
pub fn targets(
    keys: &KeyRing,
    tenant: TenantId,
    subject: &Subject,
) -> Result<Vec<String>, Refusal> {
    let names = keys.pseudonyms(tenant, subject)?;
    Ok(names.iter().map(|name| format!("user/{name}")).collect())
}

/// A session as its user may see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionView {
    id: SessionId,
    at: DateTime<Utc>,
    context: String,
    persona: PersonaView,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<Value>,
    trace: Value,
}

#[derive(Serialize)]
struct PersonaView {
    key: String,
    version: i32,
}

impl From<SubjectSession> for SessionView {
    fn from(row: SubjectSession) -> Self {
        Self {
            id: row.id,
            at: row.at,
            context: row.context,
            persona: PersonaView {
                key: row.persona,
                version: row.persona_version,
            },
            outcome: row.outcome,
            code: row.code,
            inputs: row.inputs,
            trace: row.trace,
        }
    }
}

/// All that is kept of a user as one JSON document, read and written in pieces: a user may have any number of sessions.
#[derive(Debug)]
pub struct SubjectExport {
    database: Database,
    tenant: TenantId,
    subject: Subject,
    at: DateTime<Utc>,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Begin,
    /// The last session of the page before.
    Sessions(Option<(DateTime<Utc>, SessionId)>),
    Over,
}

impl SubjectExport {
    pub fn new(database: Database, tenant: TenantId, subject: Subject, now: DateTime<Utc>) -> Self {
        Self {
            database,
            tenant,
            subject,
            at: now,
            step: Step::Begin,
        }
    }

    /// The next piece; `None` after the last one.
    pub async fn next(&mut self) -> Result<Option<String>, StoreError> {
        match self.step {
            Step::Begin => self.begin().await.map(Some),
            Step::Sessions(after) => self.sessions(after).await.map(Some),
            Step::Over => Ok(None),
        }
    }

    async fn begin(&mut self) -> Result<String, StoreError> {
        let mut tx = self.database.tenant(self.tenant).await?;
        let stored = tx.preferences(&self.subject).await?;
        tx.commit().await?;
        self.step = Step::Sessions(None);
        Ok(format!(
            r#"{{"subject":{},"exportedAt":{},"preferences":{},"sessions":["#,
            json(&self.subject)?,
            json(&self.at)?,
            json(&stored.preferences.to_document())?
        ))
    }

    async fn sessions(
        &mut self,
        after: Option<(DateTime<Utc>, SessionId)>,
    ) -> Result<String, StoreError> {
        let mut tx = self.database.tenant(self.tenant).await?;
        let page = tx.sessions_of_subject(&self.subject, after, PAGE).await?;
        tx.commit().await?;
        let mut text = String::new();
        let mut last = after;
        for session in page {
            if last.is_some() {
                text.push(',');
            }
            last = Some((session.at, session.id));
            text.push_str(&json(&SessionView::from(session))?);
        }
        if last == after {
            text.push_str("]}\n");
            self.step = Step::Over;
        } else {
            self.step = Step::Sessions(last);
        }
        Ok(text)
    }
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable(error.to_string()))
}
