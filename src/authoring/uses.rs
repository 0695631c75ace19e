//! Which drafts, versions and contents somebody wants to try out, and the scenario with them in their places.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::scenario::{DRAFT, Overlay, Rollouts, Scenario, ScenarioRows};
use crate::domain::document::DocumentKind;
use crate::domain::fault::{Fault, Faults};
use crate::domain::ids::DraftId;
use crate::domain::key::Key;
use crate::domain::members::Members;
use crate::domain::wrong::Wrong;
use crate::store::documents::VersionRow;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::refusal::Refusal;

/// Most drafts and versions that are tried out together.
pub const MAX_USES: usize = 20;

/// Something to put in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    Draft(DraftId),
    /// A sealed version.
    Version {
        kind: DocumentKind,
        key: Key,
        number: i32,
    },
    /// What somebody is writing and has not saved, of a document that may not exist yet.
    Content {
        kind: DocumentKind,
        key: Key,
        content: Map<String, Value>,
    },
}

impl Use {
    /// Reads `{"draft": id}`, `{"kind", "key", "version"}` or `{"kind", "key", "content"}`.
    pub fn parse(value: Value) -> Result<Self, Vec<Fault>> {
        let form = "must be {\"draft\": id}, {\"kind\": kind, \"key\": key, \"version\": number} or {\"kind\": kind, \"key\": key, \"content\": content}";
        let Value::Object(members) = value else {
            return Err(vec![Fault::new("", Wrong::Object.worded(form))]);
        };
        let by_draft = members.contains_key("draft");
        let by_content = members.contains_key("content");
        let mut members = Members::new(members);
        let used = if by_draft {
            members
                .required("draft", |value| {
                    let id = value.as_str().and_then(|id| uuid::Uuid::try_parse(id).ok());
                    id.ok_or_else(|| Wrong::Uuid.worded("must be the id of a draft"))
                })
                .map(|id| Self::Draft(id.into()))
        } else {
            let kind = members.required("kind", |value| {
                let kind = value.as_str().and_then(DocumentKind::named);
                kind.ok_or_else(|| Wrong::one_of(&["persona", "context", "snippet"]))
            });
            let key = members.required("key", |value| match value.as_str().map(Key::parse) {
                Some(Ok(key)) => Ok(key),
                _ => Err(Wrong::Key),
            });
            let place = kind.zip(key);
            if by_content {
                let content = members.required("content", |value| match value {
                    Value::Object(content) => Ok(content),
                    _ => Err(Wrong::Object),
                });
                place
                    .zip(content)
                    .map(|((kind, key), content)| Self::Content { kind, key, content })
            } else {
                let number = members.required("version", |value| {
                    let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
                    let number = number.filter(|number| *number > DRAFT);
                    number.ok_or_else(|| Wrong::AtLeast("1".to_owned()))
                });
                place
                    .zip(number)
                    .map(|((kind, key), number)| Self::Version { kind, key, number })
            }
        };
        members.finish()?;
        used.ok_or_else(|| vec![Fault::new("", Wrong::Object.worded(form))])
    }
}

/// What somebody wants to try out, read and not put together yet.
#[derive(Debug)]
pub(super) struct UsedRows {
    rows: ScenarioRows,
    /// How many overlays are not of `uses`.
    below: usize,
    /// Where `uses` is in the request.
    at: &'static str,
}

/// Reads what is live at `moment`, with all of `uses` to be put in their places; a document that is in its
/// place is in no rollout. [`Refusal::NotFound`] where one does not
/// exist.
pub(super) async fn read(
    tx: &mut TenantTx,
    moment: DateTime<Utc>,
    at: &'static str,
    uses: &[Use],
) -> Result<UsedRows, Refusal> {
    read_over(tx, moment, Vec::new(), at, uses).await
}

/// The same, on top of what `below` puts in place.
pub(super) async fn read_over(
    tx: &mut TenantTx,
    moment: DateTime<Utc>,
    below: Vec<Overlay>,
    at: &'static str,
    uses: &[Use],
) -> Result<UsedRows, Refusal> {
    let first = below.len();
    let mut overlays = below;
    for used in uses {
        overlays.push(overlay(tx, used).await?);
    }
    Ok(UsedRows {
        rows: ScenarioRows::read(tx, moment, overlays, Rollouts::ByUser).await?,
        below: first,
        at,
    })
}

impl UsedRows {
    /// What `uses` puts in place.
    pub(super) fn overlays(&self) -> &[Overlay] {
        self.rows.overlays().get(self.below..).unwrap_or_default()
    }

    /// Builds the scenario. [`Refusal::DocumentInvalid`] where something of `uses` can't be read: pointers start with
    /// its place there.
    pub(super) fn build(self) -> Result<Scenario, Refusal> {
        let places: Vec<_> = self
            .rows
            .overlays()
            .iter()
            .skip(self.below)
            .map(Overlay::place)
            .collect();
        let scenario = self.rows.build()?;
        let mut faults = Faults::new();
        for (index, (kind, key, version)) in places.into_iter().enumerate() {
            let unread = scenario
                .unreadable
                .iter()
                .find(|one| (one.kind, &one.key, one.version) == (kind, &key, version));
            if let Some(unread) = unread {
                let at = format!("{}/{index}", self.at);
                faults.extend_under(&at, unread.faults.iter().cloned());
            }
        }
        faults.into_result(scenario).map_err(Refusal::documents)
    }
}

pub(super) async fn overlay(tx: &mut TenantTx, used: &Use) -> Result<Overlay, Refusal> {
    match used {
        Use::Draft(id) => {
            let draft = super::drafts::find(tx, *id).await?;
            Ok(Overlay::Draft {
                kind: draft.kind,
                key: Key::parse(&draft.key).map_err(|_not_stored| Refusal::NotFound)?,
                content: draft.content,
            })
        }
        Use::Content { kind, key, content } => Ok(Overlay::Draft {
            kind: *kind,
            key: key.clone(),
            content: content.clone(),
        }),
        Use::Version { kind, key, number } => {
            let document = super::documents::find(tx, *kind, key).await?;
            let version = tx.version(document.id, *number).await?;
            let version = version.ok_or(Refusal::NotFound)?;
            Ok(Overlay::Version(VersionRow {
                document: document.id,
                kind: *kind,
                key: key.as_str().to_owned(),
                number: version.number,
                content: version.content,
                hash: version.hash,
            }))
        }
    }
}
