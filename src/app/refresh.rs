//! Keeps memory true: hears of changes, and looks for itself now and then in case a notice was lost.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::Authenticator;
use crate::crypto::seal::KeyRing;
use crate::lifecycle::Lifecycle;
use crate::sources::Sources;
use crate::store::changes::Change;
use crate::store::{Database, StoreError};
use crate::tenants::access::{self, Origins};

/// How long a change may go unnoticed where notices are lost.
const POLL: Duration = Duration::from_secs(5);
/// Longest pause between tries to reach a lost database.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// What is kept true.
pub(super) struct Refresher {
    pub(super) database: Database,
    pub(super) keys: KeyRing,
    pub(super) auth: Arc<Authenticator>,
    pub(super) origins: Arc<Origins>,
    pub(super) sources: Arc<Sources>,
}

impl Refresher {
    /// One try at start-up, so that a service whose database is there is ready at once.
    pub(super) async fn try_now(&self, lifecycle: &Lifecycle) {
        match self.everything().await {
            Ok(()) => lifecycle.set_ready(true),
            Err(error) => tracing::warn!(%error, "not ready yet"),
        }
    }

    /// Listens for ever; after any error everything is read anew.
    pub(super) async fn run(self, lifecycle: Lifecycle) {
        let mut backoff = Duration::from_millis(100);
        loop {
            match self.listen(&lifecycle, &mut backoff).await {
                Ok(()) => tracing::info!("the listening connection ended"),
                Err(error) => tracing::warn!(%error, "not listening"),
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }

    async fn listen(
        &self,
        lifecycle: &Lifecycle,
        backoff: &mut Duration,
    ) -> Result<(), StoreError> {
        // Listen first, read then: nothing can change unseen in between.
        let mut changes = self.database.listen().await?;
        self.everything().await?;
        lifecycle.set_ready(true);
        *backoff = Duration::from_millis(100);
        let mut polls = tokio::time::interval(POLL);
        polls.reset();
        loop {
            tokio::select! {
                change = changes.next() => match change? {
                    Some(change) => self.apply(change).await?,
                    None => return Ok(()),
                },
                _ = polls.tick() => self.everything().await?,
            }
        }
    }

    async fn apply(&self, change: Change) -> Result<(), StoreError> {
        self.sources.heard(change.tenant, change.revision);
        if change.touches_access {
            access::refresh(&self.database, &self.keys, &self.auth, &self.origins).await?;
        }
        Ok(())
    }

    async fn everything(&self) -> Result<(), StoreError> {
        let mut tx = self.database.platform().await?;
        let revisions = tx.revisions().await?;
        tx.commit().await?;
        for (tenant, revision) in revisions {
            self.sources.heard(tenant, revision);
        }
        access::refresh(&self.database, &self.keys, &self.auth, &self.origins).await
    }
}
