//! Keys of machines that administer a tenant. A key is shown once, when it is made.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::json;

use super::admin::{API_KEY_PREFIX, shown_prefix};
use super::change::Change;
use super::refusal::Refusal;
use crate::crypto::token::{hash_token, random_token};
use crate::domain::fault::Faults;
use crate::domain::ids::ApiKeyId;
use crate::domain::role::Role;
use crate::domain::text;
use crate::domain::wrong::Wrong;
use crate::store::api_keys::StoredKey;

/// The longest life of a key that has an end.
pub const LONGEST: TimeDelta = TimeDelta::days(731);
/// How long a rotated key stays valid beside its successor, unless the call says otherwise.
pub const GRACE: TimeDelta = TimeDelta::hours(24);
pub const LONGEST_GRACE: TimeDelta = TimeDelta::days(30);
const MAX_NAME: usize = 100;

#[derive(Debug, Clone)]
pub struct NewKey {
    pub name: String,
    pub role: Role,
    /// Until when; none is until it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
}

pub async fn create(
    change: &mut Change,
    new: NewKey,
) -> Result<(StoredKey, SecretString), Refusal> {
    let mut faults = Faults::new();
    if let Some(message) = text::refused_line(&new.name, MAX_NAME) {
        faults.add("/name", message);
    }
    match new.expires_at {
        Some(at) if at <= change.now => faults.add("/expiresAt", Wrong::Future),
        Some(at) if at > change.now + LONGEST => {
            faults.add("/expiresAt", Wrong::WithinTwoYears);
        }
        _ => {}
    }
    let new = faults.into_result(new).map_err(Refusal::Invalid)?;
    let (row, key) = add(change, new, None).await?;
    change
        .note(
            "api_key.create",
            &target(&row),
            json!({ "id": row.id, "name": row.name, "role": row.role.as_str(), "expiresAt": row.expires_at }),
        );
    Ok((row, key))
}

/// Makes a key that takes another's place: same name, role and length of life. The old one goes on for `grace`.
pub async fn rotate(
    change: &mut Change,
    id: ApiKeyId,
    grace: TimeDelta,
) -> Result<(StoredKey, SecretString), Refusal> {
    if grace < TimeDelta::zero() || grace > LONGEST_GRACE {
        let mut faults = Faults::new();
        faults.add(
            "/graceSeconds",
            Wrong::range(0, 2_592_000).worded("must be 0 to 2592000 (30 days)"),
        );
        return Err(Refusal::Invalid(faults.into_vec()));
    }
    let old = change.tx.lock_api_key(id).await?.ok_or(Refusal::NotFound)?;
    if !is_usable(&old, change.now) {
        return Err(Refusal::Conflict(Wrong::KeyEnded.into()));
    }
    let ends_at = change.now + grace;
    let ends_at = old.expires_at.map_or(ends_at, |at| at.min(ends_at));
    change.tx.set_api_key_expiry(id, ends_at).await?;
    let life = old.expires_at.map(|at| at - old.created_at);
    let new = NewKey {
        name: old.name.clone(),
        role: old.role,
        expires_at: life.map(|life| change.now + life),
    };
    let (row, key) = add(change, new, Some(id)).await?;
    change.note(
        "api_key.rotate",
        &target(&old),
        json!({ "id": old.id, "by": row.id, "prefix": row.prefix, "endsAt": ends_at }),
    );
    Ok((row, key))
}

/// Takes a key back: it is refused from now on. Doing so twice changes nothing.
pub async fn revoke(change: &mut Change, id: ApiKeyId) -> Result<(), Refusal> {
    let key = change.tx.lock_api_key(id).await?.ok_or(Refusal::NotFound)?;
    if key.revoked_at.is_some() {
        return Ok(());
    }
    change.tx.revoke_api_key(id, change.now).await?;
    change.note("api_key.revoke", &target(&key), json!({ "id": key.id }));
    Ok(())
}

/// Whether a key is taken at this moment.
pub fn is_usable(key: &StoredKey, now: DateTime<Utc>) -> bool {
    key.revoked_at.is_none() && key.expires_at.is_none_or(|at| at > now)
}

async fn add(
    change: &mut Change,
    new: NewKey,
    replaces: Option<ApiKeyId>,
) -> Result<(StoredKey, SecretString), Refusal> {
    let key = random_token(API_KEY_PREFIX)?;
    let row = StoredKey {
        id: ApiKeyId(change.new_id()),
        name: new.name,
        role: new.role,
        prefix: shown_prefix(&key),
        created_by: Some(change.admin.actor.label.clone()),
        created_by_person: change.admin.actor.human(),
        created_at: change.now.trunc_subsecs(6),
        expires_at: new.expires_at.map(|at| at.trunc_subsecs(6)),
        revoked_at: None,
        last_used_at: None,
        replaces,
    };
    change.tx.insert_api_key(&row, &hash_token(&key)).await?;
    Ok((row, key))
}

fn target(key: &StoredKey) -> String {
    format!("api_key/{}", key.prefix)
}
