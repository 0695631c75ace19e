//! The master keys that a database knows: recognised when a process starts, and changed for others without a gap.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use crate::clock::Clock;
use crate::crypto::seal::{Aad, KeyRing, SealError};
use crate::domain::ids::{AdminId, TenantId};
use crate::store::audit::AuditEvent;
use crate::store::sealed::SealedColumn;
use crate::store::second_factors;
use crate::store::{Database, StoreError};

/// What a key is recognised by: it opens this, sealed.
const PROOF: &str = "persona-gateway master key";
/// Values that are sealed again in one transaction.
const BATCH: i64 = 100;

/// Why the ring of `GATEWAY_MASTER_KEY` does not fit the database.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyRefusal {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cipher failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Other bytes under a known number.
    #[error(
        "GATEWAY_MASTER_KEY is not the one that sealed this database's secrets: its key {0} has other bytes. Set the right one, or give a new key a number of its own, as in `{next}:NEWKEY,{0}:OLDKEY`", next = .0.saturating_add(1)
    )]
    Wrong(u16),
    /// A key in use is not given.
    #[error(
        "secrets of this database are sealed with master key {0}, which GATEWAY_MASTER_KEY does not hold: add it after the new one, as in `NUMBER:NEWKEY,{0}:OLDKEY`, until `persona-gateway master-key reseal` says that it may go"
    )]
    Missing(u16),
}

fn proof_place() -> Aad {
    Aad {
        table: "master_key",
        column: "sealed",
        tenant: TenantId(Uuid::nil()),
        row: Uuid::nil(),
    }
}

/// Refuses a ring that lacks a key in use, or has other bytes under its number; remembers keys that are new. For a start: a process
/// that runs goes on when others begin to seal with a key that it does not have.
pub async fn recognise(database: &Database, keys: &KeyRing) -> Result<(), MasterKeyRefusal> {
    let mut tx = database.platform().await?;
    let known = tx.master_keys().await?;
    tx.commit().await?;
    for row in &known {
        if !keys.holds(row.id) {
            if row.retired {
                continue;
            }
            return Err(MasterKeyRefusal::Missing(row.id));
        }
        let opened = keys.open(&row.sealed, &proof_place());
        if !opened.is_ok_and(|text| text.expose_secret() == PROOF) {
            return Err(MasterKeyRefusal::Wrong(row.id));
        }
    }
    let active = keys.active()?;
    for id in keys.ids() {
        if !known.iter().any(|row| row.id == id) {
            let has_sealed = has_sealed(database, keys, id).await?;
            let sealed = keys.seal_with(id, &SecretString::from(PROOF), &proof_place())?;
            let mut tx = database.platform().await?;
            tx.insert_master_key(id, &sealed, id != active && !has_sealed)
                .await?;
            tx.commit().await?;
        }
    }
    if known.iter().any(|row| row.id == active && row.retired) {
        let mut tx = database.platform().await?;
        tx.retire_master_key(active, false).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The master keys beside the first with which something may still be sealed: they stay in the ring until [`Reseal`] lets them go.
pub async fn to_reseal(database: &Database, keys: &KeyRing) -> Result<Vec<u16>, MasterKeyRefusal> {
    let active = keys.active()?;
    let mut tx = database.platform().await?;
    let known = tx.master_keys().await?;
    tx.commit().await?;
    let older = known
        .into_iter()
        .filter(|row| row.id != active && !row.retired);
    Ok(older.map(|row| row.id).collect())
}

/// Whether a key that the database does not know yet has sealed something all the same, before keys were remembered. One value
/// that opens shows that it is the right one; others may be damaged.
async fn has_sealed(
    database: &Database,
    keys: &KeyRing,
    id: u16,
) -> Result<bool, MasterKeyRefusal> {
    let mut found = false;
    for tenant in tenants(database).await? {
        let mut tx = database.tenant(tenant).await?;
        for column in SealedColumn::ALL {
            for row in tx.sealed_with(column, id, 1).await? {
                found = true;
                if keys
                    .open(&row.sealed, &column.place(tenant, row.id))
                    .is_ok()
                {
                    return Ok(true);
                }
            }
        }
        tx.commit().await?;
    }
    let mut tx = database.platform().await?;
    for row in tx.factors_sealed_with(id, 1).await? {
        found = true;
        let place = second_factors::place(AdminId(row.id));
        if keys.open(&row.sealed, &place).is_ok() {
            return Ok(true);
        }
    }
    tx.commit().await?;
    if found {
        return Err(MasterKeyRefusal::Wrong(id));
    }
    Ok(false)
}

async fn tenants(database: &Database) -> Result<Vec<TenantId>, StoreError> {
    let mut tx = database.platform().await?;
    let tenants = tx.tenant_ids().await?;
    tx.commit().await?;
    Ok(tenants)
}

/// Seals everything again with the ring's first key. Can be stopped and begun again at any time: what is done stays done,
/// and what another process changes meanwhile is left to the next round.
#[derive(Debug)]
pub struct Reseal<'a> {
    pub database: &'a Database,
    /// The ring; all that it does not open is left as it is.
    pub keys: &'a KeyRing,
    pub clock: &'a Clock,
    /// The actor of the audit events.
    pub actor: &'a str,
}

/// Progress of sealing values with the current key.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// Values that were sealed again.
    pub done: u64,
    /// What could not be opened: table, row, and why. Such a value can't be used by anybody either.
    pub unopened: Vec<(&'static str, Uuid, SealError)>,
    /// Master keys that may leave the ring.
    pub may_go: Vec<u16>,
}

impl Reseal<'_> {
    /// Seals all values again, tenant by tenant; `progress` is called with the number of tenants done and of all.
    pub async fn run(
        &self,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Resealed, MasterKeyRefusal> {
        let tenants = tenants(self.database).await?;
        let mut resealed = Resealed::default();
        for (at, tenant) in tenants.iter().enumerate() {
            progress(at, tenants.len());
            for column in SealedColumn::ALL {
                self.column(*tenant, column, &mut resealed).await?;
            }
        }
        self.factors(&mut resealed).await?;
        progress(tenants.len(), tenants.len());
        if resealed.unopened.is_empty() {
            resealed.may_go = self.retire(resealed.done).await?;
        }
        Ok(resealed)
    }

    async fn column(
        &self,
        tenant: TenantId,
        column: SealedColumn,
        resealed: &mut Resealed,
    ) -> Result<(), MasterKeyRefusal> {
        let active = self.keys.active()?;
        let mut after = Some(Uuid::nil());
        while let Some(row) = after {
            let mut tx = self.database.tenant(tenant).await?;
            let rows = tx.sealed_with_others(column, active, row, BATCH).await?;
            after = rows.last().map(|last| last.id);
            let mut done = 0_u64;
            for row in rows {
                let place = column.place(tenant, row.id);
                match self.keys.open(&row.sealed, &place) {
                    Err(error) => resealed.unopened.push((column.table(), row.id, error)),
                    Ok(secret) => {
                        let again = self.keys.seal(&secret, &place)?;
                        done += u64::from(tx.replace_sealed(column, &row, &again).await?);
                    }
                }
            }
            if done > 0 {
                let target = format!("secrets/{}", column.table());
                tx.audit(&AuditEvent {
                    id: self.clock.new_id(),
                    at: self.clock.now(),
                    actor: self.actor,
                    action: "secrets.reseal",
                    target: &target,
                    before_hash: None,
                    after_hash: None,
                    request_id: None,
                    details: json!({ "masterKey": active, "values": done }),
                })
                .await?;
            }
            tx.commit().await?;
            resealed.done += done;
        }
        Ok(())
    }

    /// People's second factors, which belong to no tenant.
    async fn factors(&self, resealed: &mut Resealed) -> Result<(), MasterKeyRefusal> {
        let active = self.keys.active()?;
        let mut after = Some(Uuid::nil());
        while let Some(person) = after {
            let mut tx = self.database.platform().await?;
            let rows = tx.factors_sealed_with_others(active, person, BATCH).await?;
            after = rows.last().map(|last| last.id);
            for row in rows {
                let place = second_factors::place(AdminId(row.id));
                match self.keys.open(&row.sealed, &place) {
                    Err(error) => resealed.unopened.push((place.table, row.id, error)),
                    Ok(secret) => {
                        let again = self.keys.seal(&secret, &place)?;
                        resealed.done += u64::from(tx.replace_factor(&row, &again).await?);
                    }
                }
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Nothing is sealed with the older keys any more.
    async fn retire(&self, values: u64) -> Result<Vec<u16>, MasterKeyRefusal> {
        let active = self.keys.active()?;
        let mut tx = self.database.platform().await?;
        let mut may_go = Vec::new();
        for row in tx.master_keys().await? {
            if row.id != active {
                tx.retire_master_key(row.id, true).await?;
                may_go.push(row.id);
            }
        }
        tx.audit(&AuditEvent {
            id: self.clock.new_id(),
            at: self.clock.now(),
            actor: self.actor,
            action: "master_key.reseal",
            target: &format!("master_key/{active}"),
            before_hash: None,
            after_hash: None,
            request_id: None,
            details: json!({ "values": values, "mayGo": may_go }),
        })
        .await?;
        tx.commit().await?;
        Ok(may_go)
    }
}
