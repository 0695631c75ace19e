//! Keeps memory true: hears of changes, and looks for itself now and then in case a notice was lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::auth::Authenticator;
use crate::crypto::seal::KeyRing;
use crate::domain::ids::TenantId;
use crate::lifecycle::{Lifecycle, Part};
use crate::sources::Sources;
use crate::store::{Database, StoreError};
use crate::tenants::access::{self, Origins};
use crate::tenants::master_keys::{self, MasterKeyRefusal};

/// How long a change may go unnoticed where notices are lost.
const POLL: Duration = Duration::from_secs(5);
/// How often everything that decides who may call is read anew even though nothing seems to have changed.
const FULL_READ: Duration = Duration::from_mins(1);
/// How long the listening connection may be silent before it is asked whether anybody is there.
const PROBE: Duration = Duration::from_secs(1);
/// Shortest and longest pause between tries to reach a lost database.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// What is kept true.
pub(super) struct Refresher {
    pub(super) database: Database,
    pub(super) keys: KeyRing,
    pub(super) auth: Arc<Authenticator>,
    pub(super) origins: Arc<Origins>,
    pub(super) sources: Arc<Sources>,
    /// The revisions that the last poll found.
    pub(super) seen: Vec<(TenantId, i64)>,
    /// Whether the database has been found to be one of these keys.
    pub(super) recognised: bool,
    /// What was told last of a database that can't be used.
    pub(super) told: Option<String>,
}

impl Refresher {
    /// One try at start-up, so that a service whose database is there is ready at once.
    pub(super) async fn try_now(&mut self, lifecycle: &Lifecycle) {
        let read = match self.recognise().await {
            Ok(()) => self.everything().await,
            Err(error) => Err(error),
        };
        match read {
            Ok(()) => self.works(lifecycle),
            Err(error) => self.fails(&error),
        }
    }

    /// Tells what is wrong once, however often it is met, and again when something else is.
    fn fails(&mut self, error: &StoreError) {
        let text = error.to_string();
        if self.told.as_ref() != Some(&text) {
            tracing::warn!(error = text, "what is live can't be read");
            self.told = Some(text);
        }
    }

    fn works(&mut self, lifecycle: &Lifecycle) {
        lifecycle.report(Part::Live, true);
        if self.told.take().is_some() {
            tracing::info!("the database is there");
        }
    }

    /// Listens for ever; after any error everything is read anew.
    pub(super) async fn run(mut self, lifecycle: Lifecycle) {
        let mut backoff = BACKOFF.0;
        loop {
            match self.listen(&lifecycle, &mut backoff).await {
                Ok(()) => tracing::debug!("the listening connection ended"),
                Err(error) => {
                    // Only where nothing can be read: a row that makes no sense must not take the instance away.
                    if error.is_transient() {
                        lifecycle.report(Part::Live, false);
                    }
                    self.fails(&error);
                }
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF.1);
        }
    }

    async fn listen(
        &mut self,
        lifecycle: &Lifecycle,
        backoff: &mut Duration,
    ) -> Result<(), StoreError> {
        // Listen first, read then: nothing can change unseen in between.
        let mut changes = self.database.listen().await?;
        self.recognise().await?;
        self.everything().await?;
        self.works(lifecycle);
        *backoff = BACKOFF.0;
        let mut probes = tokio::time::interval_at(Instant::now() + PROBE, PROBE);
        let mut polls = tokio::time::interval_at(Instant::now() + POLL, POLL);
        let mut full_read = Instant::now() + FULL_READ;
        loop {
            tokio::select! {
                change = changes.next() => {
                    let Some(change) = change? else { return Ok(()) };
                    // Changes come in bursts; who may call is read once for all of them.
                    let mut touches_access = false;
                    for change in std::iter::once(change).chain(std::iter::from_fn(|| changes.buffered())) {
                        self.sources.heard(change.tenant, change.revision);
                        touches_access |= change.touches_access;
                    }
                    if touches_access {
                        self.access().await?;
                    }
                }
                _ = probes.tick() => changes.probe().await?,
                _ = polls.tick() => {
                    let is_new = self.revisions().await?;
                    if is_new || Instant::now() >= full_read {
                        full_read = Instant::now() + FULL_READ;
                        self.access().await?;
                    }
                }
            }
        }
    }

    /// A database that was down at the start is recognised when it comes: until then nothing is served. Once is enough: a running
    /// instance goes on hearing of changes while others begin to seal with a new key.
    async fn recognise(&mut self) -> Result<(), StoreError> {
        if self.recognised {
            return Ok(());
        }
        let recognised = master_keys::recognise(&self.database, &self.keys).await;
        recognised.map_err(|error| match error {
            MasterKeyRefusal::Store(error) => error,
            refused => StoreError::Unsafe(refused.to_string()),
        })?;
        self.recognised = true;
        Ok(())
    }

    async fn everything(&mut self) -> Result<(), StoreError> {
        self.revisions().await?;
        self.access().await
    }

    async fn access(&self) -> Result<(), StoreError> {
        access::refresh(&self.database, &self.keys, &self.auth, &self.origins).await
    }

    /// Passes every revision on; says whether any is new.
    async fn revisions(&mut self) -> Result<bool, StoreError> {
        let mut tx = self.database.platform().await?;
        let revisions = tx.revisions().await?;
        tx.commit().await?;
        for (tenant, revision) in &revisions {
            self.sources.heard(*tenant, *revision);
        }
        let changed = revisions != self.seen;
        self.seen = revisions;
        Ok(changed)
    }
}
