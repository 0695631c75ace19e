//! The preferences of users who called lately, in memory, so that their next session asks the database nothing.
//!
//! Triggers report each write of a preference by NOTIFY. An entry counts only while these notices arrive; when they may have been lost, all entries
//! are dropped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;
use tokio::sync::OnceCell;

use super::SourceError;
use crate::crypto::digest::SubjectDigest;
use crate::domain::caller::Subject;
use crate::domain::ids::TenantId;
use crate::store::changes::PreferencesChange;
use crate::store::preferences::StoredPreferences;

/// Bytes that the users of all tenants take together, about. Beyond, the tenant with the most forgets those who came least recently.
const MEMORY: usize = 32 * 1024 * 1024;
/// An entry without the choices: digest, pointers, counters.
const ENTRY: usize = 250;
/// Choices of more bytes are read with each mint. Only psql can write so much.
const LARGEST: usize = 64 * 1024;
/// Notices count as lost if the connection on which they arrive gave no sign for this long. It is asked each second.
const SILENCE: Duration = Duration::from_secs(2);
/// An entry is read again after this time, in case it was changed past the triggers, as a restored backup does.
const MAX_AGE: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(super) struct KnownUsers {
    notices: Notices,
    users: Mutex<Users>,
}

#[derive(Debug, Default)]
struct Users {
    tenants: HashMap<TenantId, OfTenant>,
    bytes: usize,
}

#[derive(Debug)]
struct OfTenant {
    /// Without a limit of its own; the one used last is at the end.
    users: LruCache<SubjectDigest, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    slot: Arc<Slot>,
    bytes: usize,
    since: Instant,
}

/// A user's choices, or the read of them that is under way.
#[derive(Debug, Default)]
struct Slot {
    stored: OnceCell<Arc<StoredPreferences>>,
    /// The database did not answer: who waits for the same read does not begin another.
    is_unanswered: AtomicBool,
}

/// Whether notices of changes arrive.
#[derive(Debug)]
struct Notices {
    born: Instant,
    /// Milliseconds after `born`, and one more: the last sign of the connection. 0 while there is none.
    heard: AtomicU64,
}

impl Default for KnownUsers {
    fn default() -> Self {
        Self {
            notices: Notices {
                born: Instant::now(),
                heard: AtomicU64::new(0),
            },
            users: Mutex::default(),
        }
    }
}

impl KnownUsers {
    /// A user's choices. Of requests that come at once, one reads for all.
    pub(super) async fn get(
        &self,
        tenant: TenantId,
        subject: &Subject,
        read: impl AsyncFnOnce() -> Result<StoredPreferences, SourceError>,
    ) -> Result<Arc<StoredPreferences>, SourceError> {
        if !self.notices.arrive() {
            return Ok(Arc::new(read().await?));
        }
        let user = SubjectDigest::of(subject);
        let slot = self.users().slot(tenant, user);
        if let Some(stored) = slot.stored.get() {
            return Ok(stored.clone());
        }
        let mut bytes = None;
        let reading = slot.stored.get_or_try_init(async || {
            if slot.is_unanswered.load(Ordering::Acquire) {
                return Err(SourceError::Unanswered);
            }
            let stored = read().await.inspect_err(|error| {
                slot.is_unanswered
                    .store(error.is_transient(), Ordering::Release);
            })?;
            bytes = Some(ENTRY + stored.preferences.size());
            Ok(Arc::new(stored))
        });
        let stored = reading.await.cloned();
        match (&stored, bytes) {
            (Ok(_), None) => {}
            (Ok(_), Some(bytes)) if bytes <= LARGEST => {
                self.users().weigh(tenant, user, &slot, bytes);
            }
            (Ok(_), Some(_)) | (Err(_), _) => self.users().remove_slot(tenant, user, &slot),
        }
        stored
    }

    /// Notices arrive from now on, on a connection that has begun to listen before; what was read earlier may have changed.
    pub(super) fn notices_begin(&self) {
        *self.users() = Users::default();
        self.notices.note();
    }

    /// The connection on which notices arrive has given a sign.
    pub(super) fn notices_go_on(&self) {
        self.notices.note();
    }

    /// The connection on which notices arrived is lost.
    pub(super) fn notices_end(&self) {
        self.notices.heard.store(0, Ordering::Release);
    }

    /// Takes in a notice.
    pub(super) fn changed(&self, change: &PreferencesChange) {
        let mut users = self.users();
        match *change {
            PreferencesChange::OfUser(tenant, user) => users.remove(tenant, user),
            PreferencesChange::OfTenant(tenant) => users.remove_tenant(tenant),
            PreferencesChange::OfAll => *users = Users::default(),
        }
    }

    /// How many users are in memory, and about how many bytes they take.
    pub(super) fn size(&self) -> (usize, usize) {
        let users = self.users();
        let number = users.tenants.values().map(|tenant| tenant.users.len());
        (number.sum(), users.bytes)
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notices {
    fn arrive(&self) -> bool {
        match self.heard.load(Ordering::Acquire) {
            0 => false,
            heard => self.now() < heard + u64::try_from(SILENCE.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn note(&self) {
        self.heard.store(self.now(), Ordering::Release);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).map_or(u64::MAX, |now| now + 1)
    }
}

impl Users {
    /// A user's slot: the one that is there, unless it is too old, or a new one.
    fn slot(&mut self, tenant: TenantId, user: SubjectDigest) -> Arc<Slot> {
        let of_tenant = self.tenants.entry(tenant).or_default();
        if let Some(entry) = of_tenant.users.get(&user)
            && entry.since.elapsed() < MAX_AGE
        {
            return entry.slot.clone();
        }
        let entry = Entry {
            slot: Arc::default(),
            bytes: ENTRY,
            since: Instant::now(),
        };
        let slot = entry.slot.clone();
        let before = of_tenant.users.insert(user, entry);
        let freed = before.map_or(0, |entry| entry.bytes);
        of_tenant.bytes = of_tenant.bytes + ENTRY - freed;
        self.bytes = self.bytes + ENTRY - freed;
        self.make_room();
        slot
    }

    /// Notes what an entry takes, now that it was read; unless a notice has removed it meanwhile.
    fn weigh(&mut self, tenant: TenantId, user: SubjectDigest, slot: &Arc<Slot>, bytes: usize) {
        let Some(of_tenant) = self.tenants.get_mut(&tenant) else {
            return;
        };
        if let Some(entry) = of_tenant.users.peek_mut(&user)
            && Arc::ptr_eq(&entry.slot, slot)
        {
            of_tenant.bytes = of_tenant.bytes + bytes - entry.bytes;
            self.bytes = self.bytes + bytes - entry.bytes;
            entry.bytes = bytes;
        }
        self.make_room();
    }

    fn remove_slot(&mut self, tenant: TenantId, user: SubjectDigest, slot: &Arc<Slot>) {
        let of_tenant = self.tenants.get(&tenant);
        let entry = of_tenant.and_then(|of_tenant| of_tenant.users.peek(&user));
        if entry.is_some_and(|entry| Arc::ptr_eq(&entry.slot, slot)) {
            self.remove(tenant, user);
        }
    }

    fn remove(&mut self, tenant: TenantId, user: SubjectDigest) {
        let Some(of_tenant) = self.tenants.get_mut(&tenant) else {
            return;
        };
        if let Some(entry) = of_tenant.users.remove(&user) {
            of_tenant.bytes -= entry.bytes;
            self.bytes -= entry.bytes;
        }
        if of_tenant.users.is_empty() {
            self.tenants.remove(&tenant);
        }
    }

    fn remove_tenant(&mut self, tenant: TenantId) {
        if let Some(of_tenant) = self.tenants.remove(&tenant) {
            self.bytes -= of_tenant.bytes;
        }
    }

    /// Forgets users of the tenants that have most, an eighth at a time, so that the largest tenant is rarely looked for.
    fn make_room(&mut self) {
        if self.bytes <= MEMORY {
            return;
        }
        while self.bytes > MEMORY - MEMORY / 8 {
            let largest = self.tenants.values_mut().max_by_key(|tenant| tenant.bytes);
            let Some(largest) = largest else { return };
            let enough = largest.bytes - largest.bytes / 8;
            while largest.bytes >= enough
                && let Some((_, entry)) = largest.users.remove_lru()
            {
                largest.bytes -= entry.bytes;
                self.bytes -= entry.bytes;
            }
        }
    }
}

impl Default for OfTenant {
    fn default() -> Self {
        Self {
            users: LruCache::new_unbounded(),
            bytes: 0,
        }
    }
}

#[cfg(test)]
mod tests;
