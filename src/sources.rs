//! Cached reads: what is live for a tenant, and a user's preferences.
//!
//! A tenant's snapshot stays in memory until a notice of a change; one load is in flight for each tenant, and
//! Postgres gets one query, however many wait for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};

use crate::anam::ApiKey;
use crate::crypto::digest::SubjectDigest;
use crate::crypto::seal::KeyRing;
use crate::domain::caller::{Caller, Subject};
use crate::domain::document::DocumentKind;
use crate::domain::fault::Fault;
use crate::domain::ids::TenantId;
use crate::domain::key::Key;
use crate::domain::places::KeyOwner;
use crate::domain::snapshot::Snapshot;
use crate::limits::Admitted;
use crate::store::changes::PreferencesChange;
use crate::store::preferences::StoredPreferences;
use crate::store::provider_keys::ProviderKeyRow;
use crate::store::sealed::SealedColumn;
use crate::store::{Database, StoreError};
use crate::telemetry::metrics::{Metrics, Outcome};
use crate::work::{Work, WorkError};

mod known_users;
pub mod load;
mod secrets;

pub use secrets::{Revealed, Secrets};

use known_users::{BRIDGE_AFTER, KnownUsers};
use load::{AllServed, Served};
/// Longest wait for a load.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a tenant's live state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database did not answer another caller's query for the same.
    #[error("the database did not answer")]
    Unanswered,
    /// Too many loads were under way.
    #[error(transparent)]
    Work(#[from] WorkError),
    #[error("the tenant does not exist")]
    TenantGone,
    /// The tenant's stored policy is invalid: it was written past all checks.
    #[error("the tenant's policy can't be read: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    PolicyBroken(Vec<Fault>),
    /// The tenant has no Anam key, and neither has the platform.
    #[error("no Anam API key: give the tenant one, or set ANAM_API_KEY")]
    NoProviderKey,
    /// The sealed key can't be opened.
    #[error("the tenant's Anam API key can't be opened: was GATEWAY_MASTER_KEY changed?")]
    SealBroken,
    /// The persona refers to a secret that is not set, or can't be opened.
    #[error("the persona refers to the secret `{0}`, which is not set or can't be opened")]
    SecretMissing(Key),
}

impl SourceError {
    /// Whether a later try may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Unanswered | Self::Work(_) => true,
            _ => false,
        }
    }
}

#[derive(Debug)]
pub struct LiveTenant {
    /// Documents, rules, catalogue, policy.
    pub snapshot: Snapshot,
    served: AllServed,
    /// When the next scheduled release takes effect, on this machine's steady clock: the database's time is what counts, and
    /// its distance was measured when this was loaded.
    overtaken_at: Option<Instant>,
    key: Result<ApiKey, NoKey>,
    /// Whether the key is the tenant's own, and not the platform's.
    pub has_own_key: bool,
    /// The secrets that its personas refer to.
    pub secrets: Secrets,
}

#[derive(Debug, Clone, Copy)]
enum NoKey {
    Missing,
    SealBroken,
}

impl LiveTenant {
    /// The versions of a document that mints get; none where it is archived or was never released.
    fn served(&self, kind: DocumentKind, key: Key) -> Served {
        self.served.get(&(kind, key)).cloned().unwrap_or_default()
    }

    /// Whose key it is.
    pub fn key_owner(&self) -> KeyOwner {
        if self.has_own_key {
            KeyOwner::Tenant(self.snapshot.tenant)
        } else {
            KeyOwner::Platform
        }
    }

    /// The Anam key: the tenant's own, else the platform's.
    pub fn anam_key(&self) -> Result<&ApiKey, SourceError> {
        self.key.as_ref().map_err(|reason| match reason {
            NoKey::Missing => SourceError::NoProviderKey,
            NoKey::SealBroken => SourceError::SealBroken,
        })
    }
}

/// The versions that mints get of a tenant's documents.
#[derive(Debug)]
pub enum Serving {
    Live(Arc<LiveTenant>),
    /// No persona, and the reason.
    Nothing(String),
}

impl Serving {
    pub fn served(&self, kind: DocumentKind, key: &str) -> Served {
        match (self, Key::parse(key)) {
            (Self::Live(live), Ok(key)) => live.served(kind, key),
            _ => Served::default(),
        }
    }

    /// Why the tenant is not served; `None` where it is.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Live(_) => None,
            Self::Nothing(why) => Some(why),
        }
    }
}

/// The cache.
#[derive(Debug)]
pub struct Sources {
    loader: Loader,
    /// Where loads run: away from the threads that answer.
    loads: Work,
    metrics: Metrics,
    tenants: Mutex<HashMap<TenantId, Arc<Slot>>>,
    known_users: KnownUsers,
}

#[derive(Debug, Clone)]
struct Loader {
    database: Database,
    keys: KeyRing,
    platform_key: Option<ApiKey>,
}

/// One tenant's place in the cache.
#[derive(Debug, Default)]
struct Slot {
    /// The newest revision that a notice named.
    heard: AtomicI64,
    live: RwLock<Option<Arc<LiveTenant>>>,
    /// Held while a load is in flight.
    loading: tokio::sync::Mutex<()>,
    /// Loads that the database did not answer.
    unanswered: AtomicU64,
    used: Mutex<Option<Instant>>,
}

impl Slot {
    /// What was loaded last.
    fn any(&self) -> Option<Arc<LiveTenant>> {
        self.live
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn fresh(&self) -> Option<Arc<LiveTenant>> {
        let live = self.any()?;
        let heard = self.heard.load(Ordering::Acquire);
        let overtaken = live.overtaken_at.is_some_and(|at| at <= Instant::now());
        (live.snapshot.revision >= heard && !overtaken).then_some(live)
    }
}

impl Sources {
    /// An empty cache. `bridge` is how old what it has may be while the database does not answer; with `None`, nothing is served then.
    pub fn new(
        database: Database,
        keys: KeyRing,
        platform_key: Option<&SecretString>,
        loads: Work,
        bridge: Option<Duration>,
        metrics: Metrics,
    ) -> Self {
        Self {
            loader: Loader {
                database,
                keys,
                platform_key: platform_key.and_then(ApiKey::new),
            },
            loads,
            metrics,
            tenants: Mutex::default(),
            known_users: KnownUsers::new(bridge),
        }
    }

    /// The platform's Anam key.
    pub fn platform_key(&self) -> Option<ApiKey> {
        self.loader.platform_key.clone()
    }

    /// The live state of the caller's tenant, and the caller's preferences.
    pub async fn for_mint(
        &self,
        caller: &Caller,
        _admitted: &Admitted,
    ) -> Result<(Arc<LiveTenant>, Arc<StoredPreferences>), SourceError> {
        let (tenant, subject) = (caller.tenant, &caller.subject);
        // What is rarely done is boxed, here and below, so that the future of a mint that finds everything in memory is small.
        let read = async || Box::pin(self.preferences(tenant, subject)).await;
        tokio::try_join!(
            self.tenant_or_before(tenant),
            self.known_users.get(tenant, subject, read)
        )
    }

    /// The live state of a tenant; where the database does not answer, the one of before, if outages are bridged.
    async fn tenant_or_before(&self, tenant: TenantId) -> Result<Arc<LiveTenant>, SourceError> {
        let slot = self.slot(tenant);
        if let Some(live) = slot.fresh() {
            return Ok(live);
        }
        Box::pin(self.load_or_before(tenant, &slot)).await
    }

    async fn load_or_before(
        &self,
        tenant: TenantId,
        slot: &Slot,
    ) -> Result<Arc<LiveTenant>, SourceError> {
        let before = slot.any().filter(|_| self.known_users.bridges_now());
        let Some(before) = before else {
            return self.tenant(tenant).await;
        };
        if self.known_users.is_unanswered() {
            return Ok(before);
        }
        match tokio::time::timeout(BRIDGE_AFTER, self.tenant(tenant)).await {
            Ok(Err(error)) if !error.is_transient() => Err(error),
            Ok(Ok(live)) => Ok(live),
            Ok(Err(_)) | Err(_) => {
                self.known_users.note_unanswered();
                Ok(before)
            }
        }
    }

    pub async fn tenant(&self, tenant: TenantId) -> Result<Arc<LiveTenant>, SourceError> {
        let slot = self.slot(tenant);
        if let Some(live) = slot.fresh() {
            return Ok(live);
        }
        tokio::time::timeout(PATIENCE, self.load(tenant, &slot))
            .await
            .map_err(|_elapsed| WorkError::Busy)?
    }

    async fn load(&self, tenant: TenantId, slot: &Slot) -> Result<Arc<LiveTenant>, SourceError> {
        let unanswered = slot.unanswered.load(Ordering::Acquire);
        let _one_at_a_time = slot.loading.lock().await;
        if let Some(live) = slot.fresh() {
            return Ok(live);
        }
        if slot.unanswered.load(Ordering::Acquire) != unanswered {
            // The load that was waited for got no answer. Waiting for one more, and the next for another, would take
            // as many times as long as there are callers.
            return Err(SourceError::Unanswered);
        }
        let heard = slot.heard.load(Ordering::Acquire);
        let reading = self.loader.clone();
        let loading = self
            .loads
            .run(tenant, async move || reading.load(tenant).await);
        let loaded = loading.await.map_err(SourceError::from).flatten();
        self.metrics.snapshot_load(if loaded.is_ok() {
            Outcome::Ok
        } else {
            Outcome::Failed
        });
        if loaded.as_ref().is_err_and(SourceError::is_transient) {
            slot.unanswered.fetch_add(1, Ordering::AcqRel);
        }
        let live = Arc::new(loaded?);
        if live.snapshot.revision < heard {
            // A notice comes after its commit, so the database is never behind an honest one.
            let loaded = live.snapshot.revision;
            _ = slot
                .heard
                .compare_exchange(heard, loaded, Ordering::AcqRel, Ordering::Acquire);
        }
        tracing::info!(tenant.id = %tenant, revision = live.snapshot.revision, "loaded what is live");
        *slot.live.write().unwrap_or_else(PoisonError::into_inner) = Some(live.clone());
        Ok(live)
    }

    /// The versions that mints get, with everything committed so far: an admin sees their own changes at once. Read through
    /// `connections` of the caller's kind of work.
    pub async fn serving(
        &self,
        connections: &Database,
        tenant: TenantId,
    ) -> Result<Serving, SourceError> {
        let mut tx = connections.tenant(tenant).await?;
        let revision = tx.revision().await?;
        tx.commit().await?;
        self.heard(tenant, revision);
        match self.tenant(tenant).await {
            Ok(live) => Ok(Serving::Live(live)),
            Err(error @ SourceError::PolicyBroken(_)) => Ok(Serving::Nothing(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// A user's choices as the database has them.
    pub async fn preferences(
        &self,
        tenant: TenantId,
        subject: &Subject,
    ) -> Result<StoredPreferences, SourceError> {
        let mut tx = self.loader.database.tenant(tenant).await?;
        let stored = tx.preferences(subject).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Takes in that choices were written, here or elsewhere.
    pub fn preferences_changed(&self, change: &PreferencesChange) {
        self.known_users.changed(change);
    }

    /// The same for a user of whom this instance has just written them: their next session must not wait for the notice.
    pub fn user_changed(&self, tenant: TenantId, subject: &Subject) {
        let user = SubjectDigest::of(subject);
        self.preferences_changed(&PreferencesChange::OfUser(tenant, user));
    }

    /// The same for many users of a tenant.
    pub fn users_changed(&self, tenant: TenantId) {
        self.preferences_changed(&PreferencesChange::OfTenant(tenant));
    }

    /// Notices of changes arrive from now on; before, some may have been lost.
    pub fn notices_begin(&self) {
        self.known_users.notices_begin();
    }

    /// Notices of changes still arrive. To be called each second at least, or what is in memory counts as old.
    pub fn notices_go_on(&self) {
        self.known_users.notices_go_on();
        let (users, bytes) = self.known_users.size();
        self.metrics.known_users(users, bytes);
    }

    /// No notices arrive any more.
    pub fn notices_end(&self) {
        self.known_users.notices_end();
    }

    /// Records that a tenant has reached this revision: an older snapshot is no longer served.
    pub fn heard(&self, tenant: TenantId, revision: i64) {
        let known = self
            .tenants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&tenant)
            .cloned();
        if let Some(slot) = known {
            slot.heard.fetch_max(revision, Ordering::AcqRel);
        }
    }

    fn slot(&self, tenant: TenantId) -> Arc<Slot> {
        let slot = self
            .tenants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(tenant)
            .or_default()
            .clone();
        *slot.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        slot
    }

    /// Drops tenants without requests for that long, so that memory holds those in use and not all that ever were.
    pub fn forget_idle(&self, after: Duration) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|_, slot| {
            let used = *slot.used.lock().unwrap_or_else(PoisonError::into_inner);
            let idle = used.is_none_or(|used| used.elapsed() >= after);
            // Somebody loads or waits.
            !idle || Arc::strong_count(slot) > 1
        });
        tenants.shrink_to_fit();
    }

    /// How many tenants are in memory.
    pub fn tenants_in_memory(&self) -> usize {
        self.tenants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

impl Loader {
    async fn load(&self, tenant: TenantId) -> Result<LiveTenant, SourceError> {
        let mut tx = self.database.tenant(tenant).await?;
        // The revision first: a change that lands while the rest is read makes this snapshot count as old.
        let revision = tx.revision().await?;
        let moment = tx.moment().await?;
        let read_at = Instant::now();
        let rows = load::Rows::read_served(&mut tx, moment).await?;
        let own = tx.active_provider_key().await?;
        let sealed = tx.secrets().await?;
        tx.commit().await?;
        let picture = load::live(rows, revision)?;
        let secrets = Secrets::open(sealed, &self.keys, &picture.snapshot);
        let key = match &own {
            None => self.platform_key.clone().ok_or(NoKey::Missing),
            Some(row) => self.open(tenant, row).ok_or(NoKey::SealBroken),
        };
        let overtaken_at = picture.snapshot.next_change.and_then(|at| {
            let wait = (at - moment).to_std().unwrap_or_default();
            read_at.checked_add(wait)
        });
        Ok(LiveTenant {
            snapshot: picture.snapshot,
            served: picture.served,
            overtaken_at,
            key,
            has_own_key: own.is_some(),
            secrets,
        })
    }

    fn open(&self, tenant: TenantId, row: &ProviderKeyRow) -> Option<ApiKey> {
        match self.keys.open(
            &row.sealed,
            &SealedColumn::ProviderKey.place(tenant, row.id.0),
        ) {
            Ok(secret) => ApiKey::new(&SecretString::from(secret.expose_secret().to_owned())),
            Err(error) => {
                tracing::error!(tenant.id = %tenant, %error, "the tenant's Anam API key can't be opened");
                None
            }
        }
    }
}
