//! What a release of a draft would say, found by doing it and taking it back.

use super::{documents, release, seal};
use crate::domain::fault::Fault;
use crate::domain::key::Key;
use crate::store::drafts::DraftRow;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// Everything that stands between a draft and its release, approvals left aside. The change must not be committed: it
/// holds the version and the release afterwards.
pub async fn rehearse(change: &mut Change, draft: &DraftRow) -> Result<Vec<Fault>, Refusal> {
    let key = Key::parse(&draft.key).map_err(|_not_stored| Refusal::NotFound)?;
    let rehearsed = async {
        let version = seal::seal(change, draft, "").await?;
        let document = documents::find(&mut change.tx, draft.kind, &key).await?;
        release::now(change, &document, &key, &version).await
    };
    match rehearsed.await {
        Ok(_) => Ok(Vec::new()),
        Err(Refusal::DocumentInvalid(faults)) => Ok(faults),
        Err(Refusal::Conflict(told)) => Ok(vec![Fault::new("", told)]),
        Err(other) => Err(other),
    }
}
