//! The preferences of users who called lately, in memory, so that their next session asks the database nothing.
//!
//! Triggers report each write of a preference by NOTIFY. An entry counts only while these notices arrive. When some may have been lost, entries of
//! before do not count any more, but for this: where outages are bridged, and the database does not answer, they are better than nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;
use tokio::sync::OnceCell;
use tokio::time::timeout;

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
/// Where there is an older entry to fall back on, so long is waited for the database.
pub(super) const BRIDGE_AFTER: Duration = Duration::from_millis(500);
/// After the database did not answer, older entries count for so long before it is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// An entry is read again after this time, in case it was changed past the triggers, as a restored backup does.
const MAX_AGE: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(super) struct KnownUsers {
    notices: Notices,
    /// How old what is known may be while the database does not answer; `None` where nothing is served then.
    bridge: Option<Duration>,
    users: Mutex<Users>,
}

#[derive(Debug, Default)]
struct Users {
    tenants: HashMap<TenantId, OfTenant>,
    bytes: usize,
    /// Entries of an earlier era were read when notices may have been lost since.
    era: u64,
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
    era: u64,
}

/// A user's choices, or the read of them that is under way.
#[derive(Debug, Default)]
struct Slot {
    stored: OnceCell<Arc<StoredPreferences>>,
    /// What was known before, and since when.
    before: Option<(Arc<StoredPreferences>, Instant)>,
    /// The database did not answer: who waits for the same read does not begin another.
    is_unanswered: AtomicBool,
}

/// Whether notices of changes arrive, and the database answers.
#[derive(Debug)]
struct Notices {
    born: Instant,
    /// Milliseconds after `born`, and one more: the last sign of the connection. 0 before the first.
    heard: AtomicU64,
    is_listening: AtomicBool,
    /// The same of the last read without an answer.
    unanswered: AtomicU64,
}

impl KnownUsers {
    pub(super) fn new(bridge: Option<Duration>) -> Self {
        Self {
            notices: Notices {
                born: Instant::now(),
                heard: AtomicU64::new(0),
                is_listening: AtomicBool::new(false),
                unanswered: AtomicU64::new(0),
            },
            bridge,
            users: Mutex::default(),
        }
    }

    /// A user's choices. Of requests that come at once, one reads for all.
    pub(super) async fn get(
        &self,
        tenant: TenantId,
        subject: &Subject,
        read: impl AsyncFnOnce() -> Result<StoredPreferences, SourceError>,
    ) -> Result<Arc<StoredPreferences>, SourceError> {
        let user = SubjectDigest::of(subject);
        if !self.notices.arrive() {
            return Box::pin(self.get_unsure(tenant, user, read)).await;
        }
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
            bytes = Some(size(&stored));
            Ok(Arc::new(stored))
        });
        match (reading.await.cloned(), bytes) {
            (Ok(stored), None) => Ok(stored),
            (Ok(stored), Some(bytes)) => {
                self.users().weigh(tenant, user, &slot, bytes);
                Ok(stored)
            }
            (Err(error), _) => {
                let before = slot.before.clone().filter(|_| error.is_transient());
                self.users().give_up(tenant, user, &slot, before.clone());
                let bridged = before.filter(|(_, since)| self.bridges(since.elapsed()));
                bridged.map(|(stored, _)| stored).ok_or(error)
            }
        }
    }

    /// A user's choices while no notices arrive: as the database has them now, else as they were known.
    async fn get_unsure(
        &self,
        tenant: TenantId,
        user: SubjectDigest,
        read: impl AsyncFnOnce() -> Result<StoredPreferences, SourceError>,
    ) -> Result<Arc<StoredPreferences>, SourceError> {
        let found = match self.known(tenant, user) {
            None => read().await,
            Some(known) if self.is_unanswered() => return Ok(known),
            Some(known) => match timeout(BRIDGE_AFTER, read()).await {
                Ok(Err(error)) if !error.is_transient() => Err(error),
                Ok(Ok(stored)) => Ok(stored),
                Ok(Err(_)) | Err(_) => {
                    self.note_unanswered();
                    return Ok(known);
                }
            },
        };
        let stored = Arc::new(found?);
        let bytes = size(&stored);
        self.users().put(tenant, user, stored.clone(), bytes);
        Ok(stored)
    }

    /// What is known of a user, if it may be used although no notices arrive.
    fn known(&self, tenant: TenantId, user: SubjectDigest) -> Option<Arc<StoredPreferences>> {
        let users = self.users();
        let entry = users.tenants.get(&tenant)?.users.peek(&user)?;
        let (stored, since) = entry.value()?;
        // One of this era was true until notices stopped; an earlier one when it was read.
        let age = if entry.era == users.era {
            self.notices.silent_for()?
        } else {
            since.elapsed()
        };
        self.bridges(age).then_some(stored)
    }

    fn bridges(&self, age: Duration) -> bool {
        self.bridge.is_some_and(|longest| age <= longest)
    }

    /// Whether what was true when notices last arrived may be used, the database being away.
    pub(super) fn bridges_now(&self) -> bool {
        let silent = self.notices.silent_for();
        silent.is_some_and(|silent| self.bridges(silent))
    }

    /// Whether the database has lately not answered: then what is known is used without asking it.
    pub(super) fn is_unanswered(&self) -> bool {
        let since = self.notices.since(&self.notices.unanswered);
        since.is_some_and(|since| since < RETRY)
    }

    pub(super) fn note_unanswered(&self) {
        self.notices.note(&self.notices.unanswered);
    }

    /// Notices arrive from now on, on a connection that has begun to listen before; what was read earlier may have changed.
    pub(super) fn notices_begin(&self) {
        self.users().era += 1;
        self.notices.is_listening.store(true, Ordering::Release);
        self.notices_go_on();
    }

    /// The connection on which notices arrive has given a sign.
    pub(super) fn notices_go_on(&self) {
        self.notices.note(&self.notices.heard);
    }

    /// The connection on which notices arrived is lost.
    pub(super) fn notices_end(&self) {
        self.notices.is_listening.store(false, Ordering::Release);
    }

    /// Takes in a notice.
    pub(super) fn changed(&self, change: &PreferencesChange) {
        let mut users = self.users();
        match *change {
            PreferencesChange::OfUser(tenant, user) => users.remove(tenant, user),
            PreferencesChange::OfTenant(tenant) => users.remove_tenant(tenant),
            PreferencesChange::OfAll => users.clear(),
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
        let is_listening = self.is_listening.load(Ordering::Acquire);
        is_listening && self.silent_for().is_some_and(|silent| silent < SILENCE)
    }

    /// How long ago the last sign was; `None` before the first.
    fn silent_for(&self) -> Option<Duration> {
        self.since(&self.heard)
    }

    fn since(&self, moment: &AtomicU64) -> Option<Duration> {
        match moment.load(Ordering::Acquire) {
            0 => None,
            then => Some(Duration::from_millis(self.now().saturating_sub(then))),
        }
    }

    fn note(&self, moment: &AtomicU64) {
        moment.store(self.now(), Ordering::Release);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).map_or(u64::MAX, |now| now + 1)
    }
}

impl Entry {
    /// What it is worth, also while something newer is read.
    fn value(&self) -> Option<(Arc<StoredPreferences>, Instant)> {
        let stored = self.slot.stored.get().cloned();
        let stored = stored.map(|stored| (stored, self.since));
        stored.or_else(|| self.slot.before.clone())
    }
}

/// About how many bytes an entry takes.
fn size(stored: &StoredPreferences) -> usize {
    ENTRY + stored.preferences.size()
}

impl Users {
    /// A user's slot: the one that is there, unless it is too old, or a new one.
    fn slot(&mut self, tenant: TenantId, user: SubjectDigest) -> Arc<Slot> {
        let era = self.era;
        let of_tenant = self.tenants.entry(tenant).or_default();
        let entry = of_tenant.users.get(&user);
        if let Some(entry) = &entry
            && entry.era == era
            && entry.since.elapsed() < MAX_AGE
        {
            return entry.slot.clone();
        }
        let before = entry.and_then(Entry::value);
        let bytes = before.as_ref().map_or(ENTRY, |(stored, _)| size(stored));
        let slot = Arc::new(Slot {
            before,
            ..Slot::default()
        });
        self.insert(tenant, user, slot.clone(), bytes);
        slot
    }

    fn put(
        &mut self,
        tenant: TenantId,
        user: SubjectDigest,
        stored: Arc<StoredPreferences>,
        bytes: usize,
    ) {
        let slot = Slot {
            stored: OnceCell::new_with(Some(stored)),
            ..Slot::default()
        };
        if bytes <= LARGEST {
            self.insert(tenant, user, Arc::new(slot), bytes);
        }
    }

    fn insert(&mut self, tenant: TenantId, user: SubjectDigest, slot: Arc<Slot>, bytes: usize) {
        let entry = Entry {
            slot,
            bytes,
            since: Instant::now(),
            era: self.era,
        };
        let of_tenant = self.tenants.entry(tenant).or_default();
        let freed = of_tenant.users.insert(user, entry);
        let freed = freed.map_or(0, |entry| entry.bytes);
        of_tenant.bytes = of_tenant.bytes + bytes - freed;
        self.bytes = self.bytes + bytes - freed;
        self.make_room();
    }

    /// Notes what an entry takes, now that it was read; unless a notice has removed it meanwhile.
    fn weigh(&mut self, tenant: TenantId, user: SubjectDigest, slot: &Arc<Slot>, bytes: usize) {
        if !self.holds(tenant, user, slot) {
            return;
        }
        if bytes > LARGEST {
            return self.remove(tenant, user);
        }
        if let Some(of_tenant) = self.tenants.get_mut(&tenant)
            && let Some(entry) = of_tenant.users.peek_mut(&user)
        {
            of_tenant.bytes = of_tenant.bytes + bytes - entry.bytes;
            self.bytes = self.bytes + bytes - entry.bytes;
            entry.bytes = bytes;
        }
        self.make_room();
    }

    /// A read failed: what was known before stays for another try.
    fn give_up(
        &mut self,
        tenant: TenantId,
        user: SubjectDigest,
        slot: &Arc<Slot>,
        before: Option<(Arc<StoredPreferences>, Instant)>,
    ) {
        if !self.holds(tenant, user, slot) {
            return;
        }
        self.remove(tenant, user);
        if let Some((stored, since)) = before {
            let bytes = size(&stored);
            self.put(tenant, user, stored, bytes);
            let of_tenant = self.tenants.get_mut(&tenant);
            if let Some(entry) = of_tenant.and_then(|users| users.users.peek_mut(&user)) {
                // Of no era: the next one reads it again.
                (entry.era, entry.since) = (0, since);
            }
        }
    }

    /// Whether the entry is still the one of that read.
    fn holds(&self, tenant: TenantId, user: SubjectDigest, slot: &Arc<Slot>) -> bool {
        let of_tenant = self.tenants.get(&tenant);
        let entry = of_tenant.and_then(|of_tenant| of_tenant.users.peek(&user));
        entry.is_some_and(|entry| Arc::ptr_eq(&entry.slot, slot))
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

    fn clear(&mut self) {
        self.tenants.clear();
        self.bytes = 0;
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
