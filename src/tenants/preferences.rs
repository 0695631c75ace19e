//! A user reads and writes their own choices. Writes are conditional, and atomic with their condition.

use serde_json::{Map, Value};

use super::user_admission::AdmittedUser;
use crate::domain::caller::Subject;
use crate::domain::catalogue::Catalogue;
use crate::domain::fault::Fault;
use crate::domain::policy::Policy;
use crate::domain::preferences::Preferences;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::preferences::StoredPreferences;
use crate::store::tenant_tx::TenantTx;

pub mod by_admin;
pub mod import;

/// A write of a user's choices.
#[derive(Debug)]
pub enum Change {
    /// These and no others.
    Replace(Map<String, Value>),
    /// These on top of the others; null takes one away (RFC 7396, flat).
    Merge(Map<String, Value>),
    /// None.
    Clear,
}

/// Why a write did not happen. `E` is the caller's own way to say that its condition does not hold.
#[derive(Debug)]
pub enum WriteError<E> {
    /// Choices that this tenant does not offer.
    Invalid(Vec<Fault>),
    /// The condition on the stored version does not hold.
    Condition(E),
    /// The database failed or did not answer.
    Store(StoreError),
}

impl<E> From<StoreError> for WriteError<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Writes, provided that `condition` accepts what is stored (version 0 where nothing is).
pub async fn write<E>(
    gateway: &Gateway,
    visit: &AdmittedUser,
    change: Change,
    condition: impl FnOnce(&StoredPreferences) -> Result<(), E>,
) -> Result<StoredPreferences, WriteError<E>> {
    let AdmittedUser { caller, tenant, .. } = visit;
    let mut tx = gateway.users_database.tenant(caller.tenant).await?;
    let stored = tx.lock_preferences(&caller.subject).await?;
    condition(&stored).map_err(WriteError::Condition)?;
    let snapshot = &tenant.snapshot;
    let rules = (&snapshot.policy, &snapshot.catalogue);
    let preferences = changed(stored.preferences, change, rules).map_err(WriteError::Invalid)?;
    let written = put(&mut tx, &caller.subject, preferences).await?;
    let committed = tx.commit().await;
    // Also where it is not known whether it was committed.
    gateway.sources.user_changed(caller.tenant, &caller.subject);
    committed?;
    Ok(written)
}

/// What a change makes of a user's choices; `None` where it leaves nothing to store. What a merge leaves alone is not
/// judged again: the catalogue may have lost it since.
fn changed(
    mut stored: Preferences,
    change: Change,
    (policy, catalogue): (&Policy, &Catalogue),
) -> Result<Option<Preferences>, Vec<Fault>> {
    Ok(match change {
        Change::Clear => None,
        Change::Replace(members) => Some(Preferences::parse(
            &members,
            &policy.preference_fields,
            catalogue,
        )?),
        Change::Merge(patch) => {
            let (taken_away, given): (Map<_, _>, Map<_, _>) =
                patch.into_iter().partition(|(_, value)| value.is_null());
            stored.remove(taken_away.keys().map(String::as_str));
            stored.overlay(Preferences::parse(
                &given,
                &policy.preference_fields,
                catalogue,
            )?);
            Some(stored)
        }
    })
}

async fn put(
    tx: &mut TenantTx,
    subject: &Subject,
    preferences: Option<Preferences>,
) -> Result<StoredPreferences, StoreError> {
    let Some(preferences) = preferences else {
        tx.delete_preferences(subject).await?;
        return Ok(StoredPreferences::default());
    };
    let version = tx.put_preferences(subject, &preferences).await?;
    Ok(StoredPreferences {
        preferences,
        version,
    })
}
