//! Reviews of sealed versions, and whether a version may go live.
//!
//! A review belongs to an exact version, which never changes: whoever changes the content seals another version, and that
//! one has no approvals yet.

use std::collections::BTreeMap;

use serde_json::json;

use super::documents::target;
use crate::domain::document::DocumentKind;
use crate::domain::ids::{DocumentId, ReviewId};
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::wrong::Wrong;
use crate::store::reviews::ReviewRow;
use crate::store::tenant_tx::TenantTx;
use crate::store::versions::SealedVersion;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// Who approves and who objects; of one person's reviews the last one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewState {
    /// How many others must approve.
    pub required: u8,
    pub approved_by: Vec<String>,
    pub rejected_by: Vec<String>,
}

impl ReviewState {
    /// Whether nothing stands against a release.
    pub fn is_met(&self) -> bool {
        self.approved_by.len() >= usize::from(self.required)
            && (self.required == 0 || self.rejected_by.is_empty())
    }

    /// [`Refusal::ApprovalMissing`] where something stands against a release.
    pub(super) fn require(&self) -> Result<(), Refusal> {
        if self.is_met() {
            return Ok(());
        }
        let missing = Wrong::Approvals {
            wanted: self.required,
            given: self.approved_by.len(),
            against: self.rejected_by.join(", "),
        };
        let words = match self.rejected_by.as_slice() {
            [] => missing.to_string(),
            who => format!("{missing}. {} rejected it", who.join(", ")),
        };
        Err(Refusal::ApprovalMissing(missing.worded(words)))
    }
}

/// Reviews a version. Only people review, and none what they wrote themselves.
pub async fn review(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    number: i32,
    approves: bool,
    comment: &str,
) -> Result<ReviewRow, Refusal> {
    let document = super::documents::find(&mut change.tx, kind, key).await?;
    let version = change.tx.version(document.id, number).await?;
    let version = version.ok_or(Refusal::NotFound)?;
    let actor = &change.admin.actor;
    if !actor.is_person() {
        return Err(Refusal::Forbidden(Wrong::ReviewByPeople.into()));
    }
    if version.contributors.contains(&actor.label) {
        return Err(Refusal::Forbidden(Wrong::ReviewByOthers.into()));
    }
    let row = ReviewRow {
        id: ReviewId(change.new_id()),
        reviewer: actor.label.clone(),
        approves,
        comment: comment.to_owned(),
        created_at: change.now,
    };
    change
        .tx
        .insert_review(document.id, version.id, &row)
        .await?;
    let verdict = if approves { "approve" } else { "reject" };
    change.note_hashes(
        &format!("{}.review", kind.as_str()),
        &target(kind, key),
        None,
        Some(&version.hash),
        json!({ "version": number, "verdict": verdict }),
    );
    Ok(row)
}

/// Longest comment of a review, characters.
pub const MAX_COMMENT: usize = 2_000;

/// How a version stands with its reviewers.
pub async fn standing(
    tx: &mut TenantTx,
    document: DocumentId,
    version: &SealedVersion,
) -> Result<ReviewState, Refusal> {
    let policy = tx.tenant_row().await?.map(|row| Policy::parse(&row.policy));
    // One that can't be read might ask for any number of approvals.
    let policy = match policy {
        Some(Ok(policy)) => policy,
        Some(Err(_)) => {
            return Err(Refusal::Conflict(Wrong::PolicyUnreadable.into()));
        }
        None => return Err(Refusal::NotFound),
    };
    let reviews = tx.reviews(document, version.id).await?;
    let last: BTreeMap<&str, bool> = reviews
        .iter()
        .map(|review| (review.reviewer.as_str(), review.approves))
        .collect();
    let of = |verdict: bool| {
        let matching = last.iter().filter(|(_, approves)| **approves == verdict);
        matching.map(|(who, _)| (*who).to_owned()).collect()
    };
    Ok(ReviewState {
        required: policy.required_approvals,
        approved_by: of(true),
        rejected_by: of(false),
    })
}
