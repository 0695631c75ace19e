//! A tenant's Anam keys: sealed, tested before they are used, and rotated without a gap: the newest active key is the one in
//! use, and the one before it stays until it is retired.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::change::Change;
use super::refusal::Refusal;
use crate::anam::{ApiKey, Probe};
use crate::crypto::seal::{KeyRing, last_four};
use crate::crypto::token::same_secret;
use crate::domain::fault::Fault;
use crate::domain::ids::{ProviderKeyId, TenantId};
use crate::domain::wrong::{Words, Wrong};
use crate::gateway::Gateway;
use crate::store::provider_keys::{ProviderKeyInfo, ProviderKeyRow};
use crate::store::sealed::SealedColumn;
use crate::store::tenant_tx::TenantTx;

/// Longest label, in characters.
pub const MAX_LABEL: usize = 100;
/// Shortest and longest key, in characters.
pub const KEY_CHARS: std::ops::RangeInclusive<usize> = 8..=500;

/// A text that may be an Anam key: it can be in a header.
#[derive(Debug, Clone)]
pub struct KeyText {
    secret: SecretString,
    header: ApiKey,
}

impl KeyText {
    /// `Err` says what a key looks like.
    pub fn parse(text: SecretString) -> Result<Self, Words> {
        let key = text.expose_secret();
        let fits =
            KEY_CHARS.contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        match ApiKey::new(&text).filter(|_| fits) {
            Some(header) => Ok(Self {
                secret: text,
                header,
            }),
            None => Err(Wrong::AnamKey {
                least: *KEY_CHARS.start(),
                most: *KEY_CHARS.end(),
            }
            .into()),
        }
    }
}

/// All keys of the tenant, newest first, and the one in use.
pub async fn list(
    tx: &mut TenantTx,
) -> Result<(Vec<ProviderKeyInfo>, Option<ProviderKeyId>), Refusal> {
    let keys = tx.provider_keys().await?;
    let current = keys.iter().find(|key| key.active).map(|key| key.id);
    Ok((keys, current))
}

/// What may be shown of one key, and whether it is in use.
pub async fn find(
    tx: &mut TenantTx,
    id: ProviderKeyId,
) -> Result<(ProviderKeyInfo, bool), Refusal> {
    let (keys, current) = list(tx).await?;
    let key = keys.into_iter().find(|key| key.id == id);
    let key = key.ok_or(Refusal::NotFound)?;
    let in_use = current == Some(key.id);
    Ok((key, in_use))
}

/// Asks Anam whether it takes a key. Reaches out, so hold no transaction meanwhile.
pub async fn test(gateway: &Gateway, key: &KeyText) -> Probe {
    gateway.anam.probe(&key.header).await
}

/// A stored key, opened for a test.
pub async fn open(
    gateway: &Gateway,
    tenant: TenantId,
    id: ProviderKeyId,
) -> Result<KeyText, Refusal> {
    let mut tx = gateway.database.tenant(tenant).await?;
    let row = tx.provider_key(id).await?.ok_or(Refusal::NotFound)?;
    tx.commit().await?;
    let secret = gateway
        .keys
        .open(&row.sealed, &SealedColumn::ProviderKey.place(tenant, id.0))?;
    KeyText::parse(secret).map_err(|why| Refusal::Conflict(Wrong::StoredKey(why.text).into()))
}

/// Why a key should not be taken into use after a test, if anything.
pub fn objection(probe: Probe) -> Option<Fault> {
    let why = match probe {
        // It may be a key for minting alone, which is the best kind.
        Probe::Good | Probe::NoPermission => return None,
        Probe::Refused => Wrong::KeyRefused,
        Probe::NoPlan => Wrong::KeyNoPlan,
        Probe::Unreachable => Wrong::KeyUntested,
    };
    Some(Fault::new("/key", why))
}

/// Adds a key, which is in use from now on. Those before it stay active: whatever goes on with them ends well.
pub async fn add(
    change: &mut Change,
    label: &str,
    key: &KeyText,
    tested: Option<Probe>,
) -> Result<ProviderKeyInfo, Refusal> {
    change.lock_authoring().await?;
    let tenant = change.tx.tenant();
    if let Some(row) = change.tx.active_provider_key().await?
        && is(&change.keys, tenant, &row, &key.secret)
    {
        return Err(Refusal::Exists(
            Wrong::KeyExists {
                id: row.id.to_string(),
                label: row.label,
            }
            .into(),
        ));
    }
    let id = ProviderKeyId(change.new_id());
    let row = ProviderKeyRow {
        id,
        label: label.to_owned(),
        sealed: change
            .keys
            .seal(&key.secret, &SealedColumn::ProviderKey.place(tenant, id.0))?,
        last_four: last_four(&key.secret),
    };
    change.tx.insert_provider_key(&row).await?;
    let details = json!({
        "id": id, "label": label, "lastFour": row.last_four, "tested": tested.map(Probe::as_str),
    });
    change.note("provider_key.create", "provider_key", details);
    Ok(find(&mut change.tx, id).await?.0)
}

/// Takes a key out of use. The last one goes only where that is meant: mints would use the platform's key, or fail.
pub async fn retire(
    change: &mut Change,
    id: ProviderKeyId,
    leave_none: bool,
) -> Result<(ProviderKeyInfo, bool), Refusal> {
    change.lock_authoring().await?;
    let (keys, _) = list(&mut change.tx).await?;
    let key = keys.iter().find(|key| key.id == id);
    let key = key.ok_or(Refusal::NotFound)?;
    let others = keys.iter().any(|other| other.active && other.id != id);
    if key.active && !others && !leave_none {
        return Err(Refusal::InUse(Wrong::OnlyKey.into()));
    }
    if key.active {
        change.tx.retire_provider_key(id).await?;
        let details = json!({ "id": id, "label": key.label, "lastFour": key.last_four });
        change.note("provider_key.retire", "provider_key", details);
    }
    find(&mut change.tx, id).await
}

/// Forgets a key that is out of use.
pub async fn delete(change: &mut Change, key: &ProviderKeyInfo) -> Result<(), Refusal> {
    if !change.tx.delete_retired_provider_key(key.id).await? {
        return Err(Refusal::InUse(Wrong::KeyActive.into()));
    }
    let details = json!({ "id": key.id, "label": key.label, "lastFour": key.last_four });
    change.note("provider_key.remove", "provider_key", details);
    Ok(())
}

/// Whether a stored key is this one.
pub fn is(keys: &KeyRing, tenant: TenantId, row: &ProviderKeyRow, secret: &SecretString) -> bool {
    keys.open(
        &row.sealed,
        &SealedColumn::ProviderKey.place(tenant, row.id.0),
    )
    .is_ok_and(|stored| same_secret(&stored, secret))
}
