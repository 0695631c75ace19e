//! A user reads and writes their own choices. Writes are conditional, and atomic with their condition.

use serde_json::{Map, Value};

use super::visit::Visit;
use crate::domain::fault::Fault;
use crate::domain::preferences::Preferences;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::preferences::StoredPreferences;

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
    /// The database did not answer as hoped.
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
    visit: &Visit,
    change: Change,
    condition: impl FnOnce(&StoredPreferences) -> Result<(), E>,
) -> Result<StoredPreferences, WriteError<E>> {
    let Visit { caller, tenant } = visit;
    let mut tx = gateway.database.tenant(caller.tenant).await?;
    let stored = tx.lock_preferences(&caller.subject).await?;
    condition(&stored).map_err(WriteError::Condition)?;
    let snapshot = &tenant.snapshot;
    let parse = |members: &Map<String, Value>| {
        Preferences::parse(members, &snapshot.policy, &snapshot.catalogue)
            .map_err(WriteError::Invalid)
    };
    let preferences = match change {
        Change::Clear => {
            tx.delete_preferences(&caller.subject).await?;
            tx.commit().await?;
            return Ok(StoredPreferences::default());
        }
        Change::Replace(members) => parse(&members)?,
        // What the patch leaves alone is not judged again: the catalogue may have lost it since.
        Change::Merge(patch) => {
            let (taken_away, given): (Map<_, _>, Map<_, _>) =
                patch.into_iter().partition(|(_, value)| value.is_null());
            let mut preferences = stored.preferences;
            preferences.remove(taken_away.keys().map(String::as_str));
            preferences.overlay(parse(&given)?);
            preferences
        }
    };
    let version = tx.put_preferences(&caller.subject, &preferences).await?;
    tx.commit().await?;
    Ok(StoredPreferences {
        preferences,
        version,
    })
}
